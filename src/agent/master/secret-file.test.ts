import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Logger, silentLogger } from "../../base/log.ts";
import { warnIfReadable } from "./secret-file.ts";

test("a file that every task can read is warned of, by its name and with the fix", () => {
  const folder = mkdtempSync(join(tmpdir(), "secret-"));
  const path = join(folder, "credential");
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
  writeFileSync(path, "");
  for (const mode of [0o600, 0o640, 0o644]) {
    chmodSync(path, mode);
    warnIfReadable(path, log);
  }
  warnIfReadable(join(folder, "none"), log);
  expect(warnings).toEqual([expect.stringContaining(`chmod 600 ${path}`)]);
  rmSync(folder, { recursive: true });
});
