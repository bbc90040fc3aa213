import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  scripts: Record<string, string>;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

describe("scripts of package.json", () => {
  test.each(Object.entries(manifest.scripts))("%s finds Node 24 by path", (_name, script) => {
    for (const command of script.split("&&"))
      expect(command.trim()).toMatch(/^(node tools\/run\.cjs |npm run --silent [\w:-]+$)/);
  });

  test("nothing runs at installation: npm 12 would not run it, and a start would depend on it", () => {
    const lifecycle = ["preinstall", "install", "postinstall", "prepare", "prepublish", "preprepare", "postprepare"];
    expect(Object.keys(manifest.scripts).filter((name) => lifecycle.includes(name))).toEqual([]);
  });

  test("a script that needs a development package fetches it first", () => {
    for (const script of Object.values(manifest.scripts))
      for (const name of ["tsc", "biome", "buf", "vitest", "tools/build.ts", "tools/test.ts", "tools/generate.ts"])
        if (script.includes(name)) expect(script).toContain(`--dev ${name}`);
  });
});

test("programs start with what any Node reads, and find Node 24 by path", () => {
  for (const path of new Set(Object.values(manifest.bin)))
    expect(read(path)).toMatch(/^#!\/usr\/bin\/env node\n[\s\S]*require\("\.\/launch\.js"\)\.launch\(/);
  const { node24, root: found } = createRequire(import.meta.url)("../../bin/node24.js");
  expect(found).toBe(root);
  expect(node24()).toMatch(/node-linux-(x64|arm64)\/bin\/node$/);
});

test(".ci/run ends with the tests' own counts, and every way out before them counts as a failure", () => {
  const lines = read(".ci/run").trimEnd().split("\n");
  expect(lines.at(-1)).toBe("node tools/run.cjs --dev tools/test.ts --install");
  expect(lines.filter((line) => line.startsWith("npm ")).every((line) => / \|\| fail "/.test(line))).toBe(true);
  expect(read(".github/workflows/ci.yml")).toMatch(/ubuntu-[\d.]+, ubuntu-[\d.]+-arm\][\s\S]*- run: \.ci\/run\n/);
});

test("what a start imports is no development package", () => {
  const imported = new Set<string>();
  for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
    for (const [, from = ""] of read(join("src", name)).matchAll(/^(?:import|export)\b[^;]*?from "([^".][^"]*)";/gm))
      if (!from.startsWith("node:")) imported.add(/^(@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from);
  }
  expect(imported).toContain("@bufbuild/protobuf");
  expect([...imported].filter((name) => manifest.dependencies[name] === undefined)).toEqual([]);
});
