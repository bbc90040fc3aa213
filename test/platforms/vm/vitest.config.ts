import { defineConfig } from "vitest/config";

// What runs in the virtual machine: the cgroup test file, what needs cgroup v2, and Docker's statistics.
export default defineConfig({
  test: {
    root: new URL("../../..", import.meta.url).pathname,
    include: [
      "test/integration/mesos-containerizer-cgroups.test.ts",
      "test/platforms/vm/*.test.ts",
      "test/integration/docker.test.ts",
    ],
    pool: "forks",
    fileParallelism: false,
    // The processor is emulated.
    expect: { poll: { timeout: 120_000 } },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
