/** A prospector without anybody who reads: what a receiver that is away makes of the forwarder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { silentLogger } from "../../src/base/log.ts";
import { Prospector } from "../../src/forwarder/discovery/prospector.ts";
import { readAt, tailFrom } from "../../src/forwarder/model/content.ts";
import type { FileGroup } from "../../src/forwarder/model/settings.ts";
import type { Source } from "../../src/forwarder/model/source.ts";
import { Descriptors } from "../../src/forwarder/reading/descriptors.ts";
import { TestClock } from "./test-clock.ts";

let folder = "";

/** A folder for each test of the file that calls this. */
export function eachInItsFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "prospector-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}

/** The path of a file in the folder of the test that runs. */
export const at = (name = ""): string => join(folder, name);

/** A prospector without anybody who reads: what a receiver that is away makes of the forwarder. */
export function unread(paths: readonly string[], limit = 1000) {
  const group = { paths: paths.map((path) => at(path)), exclude: [], ignoreOlder: 60_000 } as unknown as FileGroup;
  const clock = new TestClock(Date.now());
  const abandoned: Source[] = [];
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const log = { ...silentLogger, warn: say, error: say };
  const descriptors = new Descriptors({ limit, clock, log, admit: (source) => prospector.admit(source) });
  const prospector: Prospector = new Prospector({
    groups: [group],
    reading: { tail: false },
    entryOf: () => 0,
    forgetAfter: 600_000,
    clock,
    log,
    descriptors,
    isOwn: () => false,
    changed: () => undefined,
    abandoned: (source) => abandoned.push(source),
    recorded: () => undefined,
  });
  /** What the open files hold from where they are read on, by the name of the source. */
  const contents = () =>
    [...descriptors.held()].map(({ file, read, size }) =>
      file === undefined ? "" : readAt(file.fd, read, size - read).toString(),
    );
  const close = async () => {
    await prospector.close();
    descriptors.closeAll();
  };
  return { prospector, descriptors, clock, contents, abandoned, said, close };
}

/** What a reader does to a source: it has taken everything up to its present end. */
export function takeAll(source: Source | undefined): void {
  if (source?.file === undefined) throw new Error("nothing is open");
  source.read = source.file.facts().size;
  const before = readAt(source.file.fd, Math.max(0, source.read - 64), Math.min(64, source.read));
  source.readTail = tailFrom(before);
  source.acked = source.read;
  source.ackedTail = source.readTail;
}
