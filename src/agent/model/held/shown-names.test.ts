import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { NotHeld } from "./descriptor.ts";
import { nameShownAs, namesIn, shownNames } from "./shown-names.ts";
import { openBelow } from "./way-below.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "names-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string): void =>
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]), content);

async function contentOf(way: string): Promise<string> {
  const { place } = await openBelow(folder, way);
  await using _closed = { [Symbol.asyncDispose]: () => place.close() };
  const { readFile } = await import("node:fs/promises");
  return await readFile(`/proc/self/fd/${place.fd}`, "utf8");
}

it("shows a byte that is not UTF-8 as U+FFFD, and as its number where two names would be one", () => {
  expect(shownNames(["a", "é", "caf\udce9"])).toEqual(["a", "é", "caf\ufffd"]);
  expect(shownNames(["x\udcfe", "x\udcff"])).toEqual(["x\\xfe", "x\\xff"]);
  expect(shownNames(["x\ufffd", "x\udcff"])).toEqual(["x\ufffd", "x\\xff"]);
});

it("finds every file as it is shown, and by its bytes", async () => {
  const names = ["plain", "caf\xe9", "x\xfe", "x\xff", "\\xff", "odd\\xzz"];
  for (const name of names) put(name, name);
  const found = await namesIn(folder);
  const shown = shownNames(found);
  expect(new Set(shown).size).toBe(names.length);
  const contents = await Promise.all(shown.map(contentOf));
  expect(contents.toSorted()).toEqual(names.toSorted());
  expect(await Promise.all(found.map(contentOf))).toEqual(contents);
});

it("does not choose between two that look the same", async () => {
  put("x\xfe", "one");
  put("x\xff", "other");
  await expect(nameShownAs(folder, "x\ufffd")).rejects.toThrow(NotHeld);
  await expect(nameShownAs(folder, "x\ufffd")).rejects.toThrow("2 files: ask for x\\xfe or x\\xff");
  expect(await nameShownAs(folder, "y\ufffd")).toBeUndefined();
});

it("follows a link to such a name, and through such a folder", async () => {
  put("t\xe9", "target");
  symlinkSync(Buffer.from("t\xe9", "latin1"), join(folder, "link"));
  symlinkSync(".", Buffer.concat([Buffer.from(`${folder}/`), Buffer.from("l\xe9", "latin1")]));
  expect(await contentOf("link")).toBe("target");
  expect(await contentOf("l\udce9/l\ufffd/link")).toBe("target");
});
