import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Fetcher } from "../../src/agent/fetcher/fetcher.ts";
import { systemClock } from "../../src/base/clock.ts";
import { CommandInfo_URISchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { ATTACKER, canAttack, uidOf } from "../support/attacked-node.ts";
import { seeded } from "../support/damage.ts";
import { type Entry, tar } from "../support/evil-archives.ts";

const ARCHIVES = 50;
const ENTRIES = 200;

/** Everything below a folder: kind, owner, mode and content. */
function picture(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const info = lstatSync(join(folder, name));
      const content = info.isFile() ? readFileSync(join(folder, name), "latin1") : "";
      return [name, info.mode, info.uid, info.nlink, content].join(" ");
    });
}

describe.runIf(canAttack)(`${ARCHIVES * ENTRIES} entries of archives that mean harm`, () => {
  let base: string;
  let fetcher: Fetcher;
  const outside = (): string[] => [join(base, "open"), join(base, "treasure")];
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), "archives-"));
    chmodSync(base, 0o755);
    for (const [name, mode] of [
      ["open", 0o777],
      ["treasure", 0o700],
    ] as const) {
      mkdirSync(join(base, name));
      writeFileSync(join(base, name, "file"), "as it was");
      chmodSync(join(base, name), mode);
    }
    chmodSync(join(base, "open/file"), 0o666);
    fetcher = new Fetcher({
      clock: systemClock,
      cacheFolder: join(base, "cache"),
      cacheBytes: 0,
      stallTimeout: 5000,
      frameworksHome: undefined,
      hadoopHome: undefined,
      environment: { PATH: process.env["PATH"] ?? "" },
      pid: process.pid,
    });
  });
  afterAll(async () => {
    await fetcher.close();
    rmSync(base, { recursive: true, force: true });
  });

  /** One that tar(1) unpacks as it is: links in the place of outputs, and links and FIFOs among its files. */
  function quietEntry(random: (below: number) => number, index: number): Entry {
    const targets = [...outside(), join(base, "open/file"), "..", "/", "nowhere"];
    const name = index < 2 ? (["stdout", "stderr"][index] ?? "") : `entry-${index}`;
    const type = index < 2 ? 2 : ([0, 0, 2, 2, 5, 6][random(6)] ?? 0);
    return { name: Buffer.from(name), type, target: targets[random(targets.length)] ?? "", mode: 0o755 };
  }

  function wildEntry(random: (below: number) => number, isBold: boolean): Entry {
    const parts = ["a", "b", "door", "stderr", "stdout", "deep", ".", "\n", "x".repeat(90), "-rf", "*", "\u{1F4A3}"];
    if (isBold) parts.push("..", "", "/");
    const words = Array.from({ length: 1 + random(3) }, () => parts[random(parts.length)]);
    const raw = random(20) === 0 ? Buffer.from([0xff, 0xfe, 0x80 + random(64)]) : Buffer.from(words.join("/"));
    const targets = [
      ...outside(),
      join(base, "open/file"),
      join(base, "treasure/file"),
      "..",
      "../..",
      "/",
      "a",
      "door",
    ];
    const type = [0, 0, 0, 1, 2, 2, 3, 4, 5, 6][random(10)] ?? 0;
    const modes = [0o644, 0o4755, 0o000, 0o777];
    return { name: raw, type, target: targets[random(targets.length)] ?? "", mode: modes[random(modes.length)] ?? 0 };
  }

  it("change nothing outside of the sandbox, and leave nothing in it that is root's", {
    timeout: 300_000,
  }, async () => {
    const uid = uidOf(ATTACKER);
    const before = outside().map(picture);
    const user = { name: ATTACKER, uid, gid: uid, groups: [] };
    let unpacked = 0;
    for (let number = 0; number < ARCHIVES; number++) {
      const random = seeded(number + 1);
      const temper = random(4);
      const make = (index: number): Entry => (temper < 2 ? quietEntry(random, index) : wildEntry(random, temper === 2));
      const archive = join(base, `evil${number}.tar`);
      writeFileSync(archive, tar(Array.from({ length: ENTRIES }, (_, index) => make(index))));
      const sandbox = join(base, `sandbox${number}`);
      mkdirSync(sandbox, { mode: 0o750 });
      chownSync(sandbox, uid, uid);
      const uris = [archive, archive].map((value) => create(CommandInfo_URISchema, { value, extract: true }));
      const { signal } = new AbortController();
      const result = fetcher.fetch({ containerId: `c${number}`, sandbox, user, uris, signal });
      await result.then(
        () => unpacked++,
        () => undefined,
      );
      expect(outside().map(picture), `archive ${number}`).toEqual(before);
      const owners = execFileSync("find", [sandbox, "!", "-user", ATTACKER], { encoding: "utf8" });
      expect(owners, `archive ${number}`).toBe("");
      rmSync(sandbox, { recursive: true });
    }
    // Not all were refused before anything was tried.
    expect(unpacked).toBeGreaterThan(ARCHIVES / 4);
  });

  it("of 20,000 files with long names is fetched: its listing may be as long as it likes", {
    timeout: 120_000,
  }, async () => {
    const uid = uidOf(ATTACKER);
    const name = (index: number): Buffer => Buffer.from(`${"long".repeat(20)}-${index}`);
    const archive = join(base, "many.tar");
    writeFileSync(
      archive,
      tar(Array.from({ length: 20_000 }, (_, index) => ({ name: name(index), type: 0, target: "", mode: 0o644 }))),
    );
    const sandbox = join(base, "many");
    mkdirSync(sandbox, { mode: 0o750 });
    chownSync(sandbox, uid, uid);
    await fetcher.fetch({
      containerId: "many",
      sandbox,
      user: { name: ATTACKER, uid, gid: uid, groups: [] },
      uris: [create(CommandInfo_URISchema, { value: archive, extract: true })],
      signal: new AbortController().signal,
    });
    expect(readdirSync(sandbox).filter((found) => found.startsWith("long"))).toHaveLength(20_000);
  });
});
