import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OutputFile } from "./output-file.ts";

describe("a sandbox's output file", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "output-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const never = { maximum: Number.POSITIVE_INFINITY, keep: 0 };

  it("appends to what is there and knows where it is", async () => {
    await writeFile(join(folder, "stdout"), "fetched\n");
    const file = await OutputFile.open(folder, "stdout", never);
    const place = file.place;
    expect(place.size).toBe(8);
    await file.append(Buffer.from("more"));
    expect(await file.writtenSince(place)).toBe(4);
    await file.close();
    expect(await readFile(join(folder, "stdout"), "utf8")).toBe("fetched\nmore");
  });

  it("rotates at its size and still counts what was written since", async () => {
    const rotation = { maximum: 4, keep: 3 };
    const first = await OutputFile.open(folder, "stdout", rotation);
    const start = first.place;
    for (const text of ["aaaa", "bbbb", "cc"]) await first.append(Buffer.from(text));
    await first.close();
    const again = await OutputFile.open(folder, "stdout", rotation);
    expect(await again.writtenSince(start)).toBe(10);
    await again.close();
    expect(await readFile(join(folder, "stdout.2"), "utf8")).toBe("aaaa");
    expect(await readFile(join(folder, "stdout.1"), "utf8")).toBe("bbbb");
    expect(await readFile(join(folder, "stdout"), "utf8")).toBe("cc");
  });

  it("does not follow a link that a task left in its place", async () => {
    await writeFile(join(folder, "precious"), "keep");
    await symlink(join(folder, "precious"), join(folder, "stdout"));
    await expect(OutputFile.open(folder, "stdout", never)).rejects.toMatchObject({ code: "ELOOP" });
    expect(await readFile(join(folder, "precious"), "utf8")).toBe("keep");
  });
});
