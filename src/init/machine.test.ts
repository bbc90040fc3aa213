import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConfiguration } from "./machine.ts";

test("of a folder the same files are taken as the forwarder takes: no leftovers, no folders", () => {
  const folder = mkdtempSync(join(tmpdir(), "configuration-"));
  try {
    for (const name of ["b.conf", "a.json", "a.json~", ".b.conf.swp", "b.conf.dpkg-old", "#a.json#", "4913"])
      writeFileSync(join(folder, name), name);
    mkdirSync(join(folder, "archive"));
    const warnings: string[] = [];
    const read = (path: string) => readConfiguration(path, (warning) => warnings.push(warning));
    expect(read(`${folder}/`).map(({ text }) => text)).toEqual(["a.json", "b.conf"]);
    expect(warnings.map((warning) => warning.split("'")[1]?.slice(folder.length + 1))).toEqual([
      "#a.json#",
      "4913",
      "a.json~",
      "b.conf.dpkg-old",
    ]);
    expect(read(join(folder, "b.conf"))).toEqual([{ path: join(folder, "b.conf"), text: "b.conf" }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
