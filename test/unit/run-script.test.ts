import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "run-"));
  mkdirSync(join(home, "dist"));
  copyFileSync(resolve(import.meta.dirname, "../../skel/opt/mesos-slave/run"), join(home, "run"));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
  writeFileSync(join(home, "node"), '#!/bin/sh\necho "${MALLOC_ARENA_MAX-unset}" "$@"\n', { mode: 0o755 });
  for (const program of ["mesos-slave", "init"]) writeFileSync(join(home, `dist/${program}.js`), "");
});
afterAll(() => rmSync(home, { recursive: true }));

const run = (program: string, environment: Record<string, string> = {}): string => {
  const env = { PATH: process.env["PATH"], ...environment };
  return execFileSync(join(home, "run"), [program, "--a b"], { encoding: "utf8", env }).trim();
};

it("gives the agent two arenas of malloc, or as many as its environment says", () => {
  expect(run("mesos-slave")).toMatch(/^2 .*\/dist\/mesos-slave\.js --a b$/);
  expect(run("mesos-slave", { MALLOC_ARENA_MAX: "5" })).toMatch(/^5 /);
});

it("changes nothing in the environment of init, which starts what users have put into the container", () => {
  expect(run("init")).toMatch(/^unset .*\/dist\/init\.js --a b$/);
});
