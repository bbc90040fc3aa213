import { defineConfig } from "vitest/config";

// unit: next to the code, no process, no network beyond loopback, no time. agent: the whole agent, on a machine that is not
// real, held to what masters, executors and the disk see of it. integration: real parts, one after the other,
// because they share a machine. end-to-end: the whole node, and the image.
// The fast ones import each module once per thread (`isolate: false`): to do so for each file took longer than the tests. Modules have
// no state of their own; a test that replaces one says vi.resetModules() before and after it (test/unit/limits.test.ts).

/**
 * What is polled for is waited for, on a busy machine too: vitest's own second is soon over there. A test that fails takes so long
 * to say so; it is less than the shortest limit of a test, so that what was waited for is named.
 */
const PATIENT = { poll: { timeout: 50_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/unit/**/*.test.ts"],
          pool: "threads",
          isolate: false,
          expect: PATIENT,
          // Nothing here waits for time; a busy machine is no failure.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "agent",
          include: ["test/agent/**/*.test.ts"],
          pool: "threads",
          isolate: false,
          expect: PATIENT,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/attack/**/*.test.ts", "test/conformance/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          expect: PATIENT,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "end-to-end",
          include: ["test/end-to-end/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          expect: PATIENT,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
