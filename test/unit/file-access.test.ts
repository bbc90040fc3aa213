import { expect, test } from "vitest";
import { pathFunctions, violation, violations } from "../../tools/file-access.ts";

test("nobody in the agent uses a path that a task can change", () => {
  expect(violations()).toEqual([]);
});

test.each([
  ['import { closeSync, fstatSync, type Stats } from "node:fs";', []],
  ['import type { Stats } from "node:fs";', []],
  ['import { constants as flags, rmSync } from "node:fs";', ["rmSync"]],
  ['import {\n  chown,\n  type FileHandle,\n  open as openHandle,\n} from "node:fs/promises";', ["chown", "open"]],
  ['import * as fs from "node:fs";', ["*"]],
  ['import fs from "fs";', ["*"]],
  ['const { rm } = await import("node:fs/promises");', ["*"]],
  ['const fs = process.getBuiltinModule("node:fs");', ["*"]],
])("%j takes %j", (text, found) => expect(pathFunctions(text)).toEqual(found));

test("a file that is not in the table is named with the way out, and a row that nobody needs is found", () => {
  expect(violation("tasks/new.ts", 'import { rmSync } from "node:fs";')).toMatch(
    /src\/agent\/tasks\/new\.ts takes rmSync from node:fs.*src\/agent\/model\/held/,
  );
  expect(violation("containerizer/docker/open.ts", "")).toContain("remove its row");
  expect(violation("containerizer/docker/open.ts", 'import { existsSync } from "node:fs";')).toBeUndefined();
});
