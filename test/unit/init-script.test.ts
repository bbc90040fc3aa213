import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const lines = readFileSync(resolve(import.meta.dirname, "../../skel/init.sh"), "utf8").split("\n");
const listens = lines.findIndex((line) => line.startsWith("trap "));
const knowsItsFolder = lines.findIndex((line) => line.startsWith("INIT_ROOT="));
/** Lines of the head after which the shell is between two commands, and not inside of one. */
const heard = lines
  .map((line, index) => ({ line, index }))
  .filter(
    ({ line, index }) => index >= listens && index < knowsItsFolder && /^(trap |others=|for .*done$|}$)/.test(line),
  );

test("init listens before it does anything else", () => {
  expect(lines.slice(0, listens).filter((line) => !/^(#.*|stopped='' child='' repeater='')$/.test(line))).toEqual([]);
  expect(heard.length).toBeGreaterThan(4);
});

test.each(heard)("a stop that comes right after '$line' ends it with 0, and no service is begun", ({ index }) => {
  const root = mkdtempSync(join(tmpdir(), "init-script-"));
  try {
    mkdirSync(join(root, "opt/mesos-slave"), { recursive: true });
    const program = (path: string, text: string): void =>
      writeFileSync(join(root, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    program("opt/mesos-slave/run", "exec sleep 5");
    program("supervisord", `touch "${root}/begun"`);
    writeFileSync(join(root, "init.sh"), lines.toSpliced(index + 1, 0, "kill -TERM $$").join("\n"), { mode: 0o755 });
    const { status, stderr } = spawnSync("/bin/bash", [join(root, "init.sh")], {
      env: { PATH: `${root}:${process.env["PATH"]}` },
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
    expect(existsSync(join(root, "begun"))).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
