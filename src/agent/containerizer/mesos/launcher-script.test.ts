import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { launcherProgram } from "./launcher-script.ts";

const script = (): string => launcherProgram("x64", "mark", "fifo")?.input ?? "";

function compiled(text: string): string {
  const strict = "use strict; use warnings FATAL => 'all'; no warnings qw(exec uninitialized);\n";
  return spawnSync("perl", ["-c", "-e", strict + text], { encoding: "utf8", env: { LC_ALL: "C" } }).stderr;
}

it("the launcher holds under strict and warnings, which it does not load: they would be in the memory of every task", () => {
  expect(compiled(script())).toBe("-e syntax OK\n");
  expect(compiled(`${script()}$undeclared = 1;`)).toMatch('Global symbol "$undeclared" requires explicit package name');
  expect(script()).not.toMatch(/^\s*(?:use|require)\b/m);
});
