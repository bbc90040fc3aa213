import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { Console } from "./console.ts";

it("a console that nobody reads holds nobody up; what is left out is counted and said", async () => {
  const clock = new TestClock();
  let [room, seen] = [100, ""];
  const console = new Console({
    clock,
    write: (bytes) => {
      if (room === 0) throw Object.assign(new Error("full"), { code: "EAGAIN" });
      const count = Math.min(room, bytes.length);
      room -= count;
      seen += bytes.toString("utf8", 0, count);
      return count;
    },
  });
  const lines = Array.from({ length: 5000 }, (_, number) => `line ${number} ${"x".repeat(20)}\n`);
  for (const line of lines) console.write(line);
  expect(seen).toHaveLength(100);
  await clock.advance(100);
  expect(seen, "still nobody reads").toHaveLength(100);
  room = 1e9;
  await clock.advance(100);
  const kept = lines.findIndex((line) => !seen.includes(line));
  expect(kept).toBeGreaterThan(1000);
  expect(seen).toBe(
    `${lines.slice(0, kept).join("")}${lines.length - kept} lines of this log are left out: nobody read them\n`,
  );
  console.write("again\n");
  expect(seen.endsWith("again\n")).toBe(true);
});

it("a console that is gone takes everything", () => {
  const console = new Console({
    clock: new TestClock(),
    write: () => {
      throw Object.assign(new Error("gone"), { code: "EPIPE" });
    },
  });
  for (let line = 0; line < 10_000; line++) console.write("a line that nobody will ever see\n");
});

it("a socket that nobody reads, such as journald's, holds nobody up either", async () => {
  const [clock, console] = ["../../base/clock.ts", "console.ts"].map((name) =>
    pathToFileURL(join(import.meta.dirname, name)),
  );
  const program = `
    import { systemClock } from ${JSON.stringify(clock)};
    import { standardError } from ${JSON.stringify(console)};
    const console = standardError(systemClock);
    for (let line = 0; line < 100_000; line++) console.write("a line that nobody reads\\n");
    process.exit(42);`;
  // Node gives its children sockets for pipes; what is not listened to is not read.
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    expect(await once(child, "exit")).toEqual([42, null]);
  } finally {
    child.kill("SIGKILL");
  }
});
