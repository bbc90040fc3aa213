import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { toSyslog } from "./syslog.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "syslog-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A logger(1) that does this with its standard input. */
function logger(script: string): string {
  const path = join(folder, "logger");
  writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

it("goes on elsewhere when logger ends: with its reason, and what may not have arrived", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const lines: string[] = [];
  const instead = (line: string): void => {
    lines.push(line);
    if (line.startsWith("-log-to-syslog")) resolve();
  };
  const write = toSyslog(instead, logger("echo 'socket /dev/log: No such file' >&2; exit 1"));
  write("one\n");
  await promise;
  write("two\n");
  expect(lines).toEqual([
    "one\n",
    "-log-to-syslog: logger(1) ended (socket /dev/log: No such file): the log goes on here\n",
    "two\n",
  ]);
});

it("keeps a bounded rest for a logger that hangs, and says what it left out", async () => {
  const [start, got] = [join(folder, "start"), join(folder, "got")];
  const write = toSyslog(() => undefined, logger(`until [ -e ${start} ]; do sleep 0.05; done; exec cat >${got}`));
  for (let line = 0; line < 3000; line++) write(`${String(line).padStart(99, "0")}\n`);
  writeFileSync(start, "");
  let text = "";
  while (!/\d+ lines of this log are left out/.test(text)) {
    await new Promise((done) => setImmediate(done));
    write("again\n");
    text = existsSync(got) ? readFileSync(got, "utf8") : "";
  }
  expect(Number(/(\d+) lines of this log are left out/.exec(text)?.[1])).toBeGreaterThan(1000);
});
