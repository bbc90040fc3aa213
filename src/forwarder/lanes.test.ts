import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import { Lanes } from "./lanes.ts";
import type { FileGroup, Settings } from "./model/settings.ts";
import { Descriptors } from "./reading/descriptors.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lanes-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What is said at the start of patterns in the folder. */
async function saidOf(...paths: string[]): Promise<string[]> {
  const said: string[] = [];
  const say = (message: string): void => void said.push(message.replaceAll(folder, ""));
  const [clock, log] = [new TestClock(Date.now()), { ...silentLogger, warn: say, error: say }];
  const group = { paths: paths.map((path) => join(folder, path)), exclude: [], ignoreOlder: 60_000 };
  const settings = {
    files: [group as unknown as FileGroup],
    reading: { tail: false, scanInterval: 10_000 },
    registry: { forgetAfter: 60_000 },
  } as unknown as Settings;
  const nothing = (): void => undefined;
  const descriptors = new Descriptors({ limit: 100, clock, log, admit: nothing });
  const lanes = new Lanes({
    settings,
    descriptors,
    clock,
    log,
    isOwn: () => false,
    changed: nothing,
    abandoned: nothing,
    recorded: nothing,
  });
  await lanes.start(false);
  lanes.stop();
  await lanes.close();
  descriptors.closeAll();
  return said;
}

it("a pattern that names a folder instead of the files in it is said, one that names folders among files is not", async () => {
  for (const name of ["app", "d1", "d2", "mixed", "mixed/old"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "mixed/a.log"), "a\n");
  expect(await saidOf("app", "d*", "mixed/*", "none/*")).toEqual([
    "'/app' names no file, but the folder '/app': to follow what lies in it, name '/app/*'",
    "'/d*' names no file, but the folder '/d1': to follow what lies in it, name '/d1/*'",
    "no file matches '/none/*' yet",
  ]);
});
