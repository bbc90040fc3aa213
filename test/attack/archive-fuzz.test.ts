import { execFile, execFileSync } from "node:child_process";
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
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FetchOrder } from "../../src/agent/fetcher/order.ts";
import { planFetch } from "../../src/agent/fetcher/plan.ts";
import { CommandInfo_URISchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { ATTACKER, canAttack, uidOf } from "../support/attacked-node.ts";
import { seeded } from "../support/damage.ts";
import { type Entry, type Format, mutated } from "../support/evil-archives.ts";

const ARCHIVES = 10_000;
/** Archives that come into one sandbox: what one left there, the next ones meet. */
const BATCH = 250;
const AT_ONCE = 2;
const FORMATS: readonly Format[] = ["tar", "tar.gz", "zip"];
const FETCH_MANY = resolve(import.meta.dirname, "../support/fetch-many.ts");
const run = promisify(execFile);

/** What is in `folder` and below, without `left`: kind, owner, mode and content. Links are not followed. */
function picture(folder: string, left: (path: string) => boolean): string[] {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => !left(path))
    .flatMap((path) => {
      const info = lstatSync(path);
      const content = info.isFile() ? readFileSync(path, "latin1") : "";
      const below = info.isDirectory() ? picture(path, left) : [];
      return [[path, info.mode, info.uid, info.isFile() && info.nlink, content].join(" "), ...below];
    });
}

describe.runIf(canAttack)(`${ARCHIVES} mutated archives`, () => {
  let base: string;
  let uid: number;
  beforeAll(() => {
    uid = uidOf(ATTACKER);
    base = mkdtempSync(join(tmpdir(), "archive-fuzz-"));
    chmodSync(base, 0o755);
    // What the task's user may write to, here and beside its sandbox: an archive that it fetches must not, all the same.
    for (const [name, mode] of [
      ["open", 0o777],
      ["treasure", 0o700],
      ["sandboxes", 0o777],
      ["archives", 0o755],
    ] as const) {
      mkdirSync(join(base, name));
      writeFileSync(join(base, name, "file"), "as it was");
      chmodSync(join(base, name), mode);
      chmodSync(join(base, name, "file"), 0o666);
    }
  });
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  const around = (): string[] => picture(base, (path) => /\/sandboxes\/\d+$|\/archives\/\d/.test(path));

  function entry(random: (below: number) => number): Entry {
    const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const words = ["a", "door", "stdout", "stderr", "-rf", "n\nl", "x".repeat(60), ...Array(9).fill(`e${random(999)}`)];
    const path = Array.from({ length: 1 + random(3) }, () => one(words)).join("/");
    const isBold = random(12) === 0;
    const name = isBold ? one([`../${path}`, `a/../../file`, `${base}/open/${path}`, `door/${path}`, ""]) : path;
    const target = one([
      join(base, "open"),
      join(base, "treasure"),
      join(base, "open/file"),
      "../file",
      "..",
      "/",
      "a",
    ]);
    return {
      name: Buffer.from(name),
      type: one([0, 0, 0, 1, 2, 2, 3, 5, 5, 6]),
      target,
      mode: one([0o644, 0o4755, 0]),
    };
  }

  /** Makes the archives of one batch and fetches them all into one sandbox. Resolves with how many could be. */
  async function batch(number: number): Promise<number> {
    const sandbox = join(base, "sandboxes", String(number));
    mkdirSync(sandbox, { mode: 0o750 });
    chownSync(sandbox, uid, uid);
    const paths = Array.from({ length: BATCH }, (_, index) => {
      const random = seeded(number * BATCH + index + 1);
      const format = FORMATS[random(FORMATS.length)] ?? "tar";
      const path = join(base, "archives", `${number}-${index}.${format}`);
      writeFileSync(
        path,
        mutated(
          format,
          Array.from({ length: 1 + random(6) }, () => entry(random)),
          random,
        ),
      );
      return path;
    });
    const items = paths.map((value) => {
      const item = planFetch(create(CommandInfo_URISchema, { value, extract: true }), undefined);
      return { item, cached: undefined };
    });
    const user = { name: ATTACKER, uid, gid: uid, groups: [] };
    const order: FetchOrder = { user, sandbox, items, stallTimeout: 5000, hadoopHome: undefined };
    const program = ["--no-warnings", FETCH_MANY, JSON.stringify(order)];
    const { stdout } = await run(process.execPath, program, { cwd: sandbox, maxBuffer: 1024 * 1024 });
    expect(execFileSync("find", [sandbox, "!", "-user", ATTACKER], { encoding: "utf8" }), `batch ${number}`).toBe("");
    for (const path of paths) rmSync(path);
    rmSync(sandbox, { recursive: true });
    return Number(stdout);
  }

  it("change nothing outside of the sandbox", { timeout: 900_000 }, async () => {
    const before = around();
    const numbers = Array.from({ length: ARCHIVES / BATCH }, (_, index) => index).values();
    let unpacked = 0;
    const work = async (): Promise<void> => {
      for (const number of numbers) {
        unpacked += await batch(number);
        expect(around(), `up to batch ${number}`).toEqual(before);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    // Enough of them came through all looks to have done harm.
    expect(unpacked).toBeGreaterThan(ARCHIVES / 10);
  });
});
