import { createHook } from "node:async_hooks";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAtomic } from "./durable.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "durable-"));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

/** How often another thread was asked for something of the file system meanwhile. */
async function tripsOf(action: () => Promise<void>): Promise<number> {
  let trips = 0;
  const hook = createHook({
    init: (_, type) => {
      if (type === "FSREQCALLBACK" || type === "FSREQPROMISE") trips++;
    },
  }).enable();
  try {
    await action();
  } finally {
    hook.disable();
  }
  return trips;
}

describe("writeAtomic", () => {
  it.each([
    ["text", "whole"],
    ["bytes", Buffer.from("whole")],
    ["pieces", ["who", "", "le"]],
  ])("replaces a file by %s, with its mode, and leaves nothing else", async (_, data) => {
    const path = join(folder, "made", "registry");
    await writeAtomic(path, "a longer content that was there before", { mode: 0o600 });
    await writeAtomic(path, data, { mode: 0o640 });
    expect(readFileSync(path, "utf8")).toBe("whole");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(folder, "made"))).toEqual(["registry"]);
  });

  it("writes more than one call takes, and nothing at all", async () => {
    const [path, large] = [join(folder, "a"), "0123456789abcdef".repeat(300_000)];
    await writeAtomic(path, large);
    expect(readFileSync(path, "utf8") === large).toBe(true);
    await writeAtomic(path, "", { sync: false });
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it("keeps the old content and removes its own when it cannot replace", async () => {
    const path = join(folder, "a");
    mkdirSync(path);
    writeFileSync(join(path, "in the way"), "");
    await expect(writeAtomic(path, "new")).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  // Each is some tenths of a millisecond on a busy machine, and the forwarder's window waits for them.
  it("asks other threads five times for a text, opening and syncing the folder included", async () => {
    expect(await tripsOf(() => writeAtomic(join(folder, "a"), "text"))).toBe(5);
  });
});
