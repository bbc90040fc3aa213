import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { type FileFacts, factsAt } from "../model/content.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import type { EventSink } from "../model/sink.ts";
import type { Source } from "../model/source.ts";
import { Follower } from "./follower.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "follower-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const group = {
  encoding: "utf-8",
  includeLines: [],
  excludeLines: [],
  maximumLine: 1000,
  closeInactive: 60_000,
} as unknown as FileGroup;

/** Takes lines when it is told to, as a collector does whose window is full. */
class SlowSink implements EventSink {
  readonly taken: string[] = [];
  /** Lets the lines in that wait. */
  admit: () => void = () => undefined;
  /** Called when lines have come. */
  arrived: () => void = () => undefined;

  async lines(_: Source, bytes: Buffer, base: number, last: number): Promise<void> {
    const text = `${base}: ${bytes.subarray(0, last)}`;
    await new Promise<void>((resolve) => {
      this.admit = resolve;
      this.arrived();
    });
    this.taken.push(text);
  }
  event = (): Promise<void> => Promise.reject(new Error("only whole lines are expected"));
  passed = (): Promise<void> => Promise.resolve();
}

describe("a deleted file whose archive is found while its lines wait to be taken", () => {
  it("goes on in the archive where the lines ended, and stays known", async () => {
    const [plain, archive] = [join(folder, "app.log"), join(folder, "app.log.gz")];
    writeFileSync(plain, "one\ntwo\n");
    const facts = factsAt(plain) as FileFacts;
    const source = {
      name: plain,
      path: plain,
      last: plain,
      identity: facts.identity,
      fingerprint: { length: 0, hash: "" },
      group: 0,
      compressed: false,
      hole: false,
      read: 0,
      readTail: undefined,
    } as unknown as Source;
    const sink = new SlowSink();
    const events: string[] = [];
    let rested: () => void = () => undefined;
    const follower = new Follower({
      groups: [group],
      reading: { bufferSize: 4096, maximumOpenFiles: 10 } as ReadingSettings,
      clock: new TestClock(),
      log: silentLogger,
      sink,
      finishing: false,
      stdin: () => process.stdin,
      replaced: () => events.push("replaced"),
      gone: () => events.push("gone"),
      idle: () => rested(),
    });
    const waiting = new Promise<void>((resolve) => {
      sink.arrived = resolve;
    });
    follower.changed(source);
    await waiting;
    // What the prospector does when it finds the archive of a file that is gone.
    writeFileSync(archive, gzipSync("one\ntwo\nthree\n"));
    unlinkSync(plain);
    const now = factsAt(archive) as FileFacts;
    Object.assign(source, { path: archive, last: archive, identity: now.identity, compressed: true });
    follower.changed(source);
    follower.detached(source);
    const more = new Promise<void>((resolve) => {
      sink.arrived = resolve;
    });
    const idle = new Promise<void>((resolve) => {
      rested = resolve;
    });
    sink.admit();
    await more;
    sink.admit();
    await idle;
    expect(sink.taken).toEqual(["0: one\ntwo", "8: three"]);
    expect(events).toEqual([]);
    expect(follower.finished(source)).toBe(true);
    follower.stop();
  });
});
