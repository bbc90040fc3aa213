import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { LogFile } from "./log-file.ts";

const folder = mkdtempSync(join(tmpdir(), "log-file-"));
const path = join(folder, "log");
afterAll(() => rmSync(folder, { recursive: true }));

const log = new LogFile(path);
/** What is read, as text; the status of what is refused. */
async function read(...parameters: Parameters<LogFile["read"]>): Promise<[bigint, string] | number> {
  const part = await log.read(...parameters);
  return "status" in part ? part.status : [part.size, Buffer.from(part.data).toString()];
}

it("is read in parts of at most 64 KiB, and nothing else is", async () => {
  expect(await read("/master/log", 0, undefined)).toBe(500);
  writeFileSync(path, `0123456789${"x".repeat(100_000)}`);
  expect(await read("/master/log", 2, 5)).toEqual([100_010n, "23456"]);
  expect(await read("/master/log", 10, undefined)).toEqual([100_010n, "x".repeat(65_536)]);
  expect(await read("/master/log", 10, 90_000)).toEqual([100_010n, "x".repeat(65_536)]);
  expect(await read("/master/log", 100_009, 10)).toEqual([100_010n, "x"]);
  expect(await read("/master/log", 200_000, undefined)).toEqual([100_010n, ""]);
  for (const other of [path, "/etc/passwd", "/master/log/../log", ""]) expect(await read(other, 0, 1)).toBe(404);
});

it("is a file in a list, and not there when none is written", async () => {
  expect([log.list("/master/log"), log.list("/master/log/")]).toEqual([[], []]);
  expect(log.list("/etc")).toEqual({ status: 404 });
  const none = new LogFile(undefined);
  expect([none.list("/master/log"), await none.read("/master/log", 0, 1)]).toEqual([{ status: 404 }, { status: 404 }]);
});
