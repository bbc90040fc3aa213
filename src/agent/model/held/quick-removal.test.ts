import { execFileSync } from "node:child_process";
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { whatIsMade } from "../../../../test/support/what-is-made.ts";
import { HeldFolder } from "./folder.ts";
import { QuickTurns, removedQuickly } from "./quick-removal.ts";
import { removeTree } from "./removal.ts";

let base: string;
let held: HeldFolder;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "quick-"));
  held = HeldFolder.open(base);
});
afterEach(() => {
  held.close();
  rmSync(base, { recursive: true, force: true });
});

const make = (way: string, bytes = 10): void => {
  mkdirSync(join(base, way, ".."), { recursive: true });
  writeFileSync(join(base, way), "");
  truncateSync(join(base, way), bytes);
};
const quickly = (name: string, turns = new QuickTurns(() => 0), goOn = (): void => undefined): Promise<boolean> =>
  removedQuickly(held.at(name), held.mount, turns, goOn);
const below = (way: string): string[] => readdirSync(join(base, way), { recursive: true }).map(String).sort();

test("a small tree goes without any call of the thread pool, and with few promises", async () => {
  for (const way of ["a/b/c", "a/b/d", "a/e", "a/é/f"]) make(`tree/${way}`);
  symlinkSync(base, join(base, "tree/a/up"));
  writeFileSync(Buffer.concat([Buffer.from(join(base, "tree/")), Buffer.from([0xff, 0xfe])]), "");
  execFileSync("mkfifo", [join(base, "tree/fifo")]);
  make("beside");
  const { result, poolCalls, promises } = await whatIsMade(() => quickly("tree"));
  expect(result).toBe(true);
  expect(poolCalls).toBe(0);
  // Of thirteen entries.
  expect(promises).toBeLessThan(10);
  expect(below("")).toEqual(["beside"]);
  expect(await quickly("missing")).toBe(true);
  symlinkSync("beside", join(base, "link"));
  expect(await quickly("link")).toBe(true);
  expect(below("")).toEqual(["beside"]);
});

test.each([
  ["a file that takes long to go", () => make("tree/large", 5_000_000), ["large"]],
  [
    "a folder of very many",
    () => {
      for (let index = 0; index < 1000; index++) make(`tree/many/with a long name, so that it is large ${index}`);
    },
    undefined,
  ],
  ["what lies deep", () => make(`tree/${"d/".repeat(17)}end`), undefined],
])("%s is left to those who can wait; what is beside it goes", async (_what, makeIt, left) => {
  makeIt();
  const names = below("tree");
  make("tree/small");
  make("tree/z/small");
  expect(await quickly("tree")).toBe(false);
  expect(below("tree")).toEqual(left ?? names);
  await removeTree(held, "tree");
  expect(below("")).toEqual([]);
});

test("a mount is left as it is, and said so by who looks again", async () => {
  make("tree/file");
  expect(await removedQuickly(held.at("tree"), held.mount + 1_000_000, new QuickTurns(() => 0), () => undefined)).toBe(
    false,
  );
  expect(below("tree")).toEqual(["file"]);
});

test("a folder that becomes a link to another between two looks is not followed", async () => {
  make("outside/precious");
  make("tree/sub/file");
  const look = fs.lstatSync;
  const spy = vi.spyOn(fs, "lstatSync").mockImplementation(((path: string, options: object) => {
    const stats = look(path, options);
    if (`${path}`.endsWith("/sub") && stats?.isDirectory()) {
      renameSync(join(base, "tree/sub"), join(base, "moved"));
      symlinkSync("../outside", join(base, "tree/sub"));
    }
    return stats;
  }) as typeof fs.lstatSync);
  syncBuiltinESMExports();
  const isGone = await quickly("tree");
  spy.mockRestore();
  syncBuiltinESMExports();
  expect(isGone).toBe(false);
  await removeTree(held, "tree");
  expect(below("")).toEqual(["moved", "moved/file", "outside", "outside/precious"]);
});

test("a tree takes short turns, and whoever stops it is heard between two", async () => {
  for (let index = 0; index < 50; index++) make(`tree/${index % 5}/${index}`);
  let milliseconds = 0;
  // Each look at the clock takes a tenth of what a turn may.
  const clock = () => {
    milliseconds += 0.1;
    return milliseconds;
  };
  let asked = 0;
  const goOn = (): void => {
    if (++asked === 3) throw new Error("the agent stops");
  };
  await expect(quickly("tree", new QuickTurns(clock), goOn)).rejects.toThrow("the agent stops");
  const left = below("tree").length;
  expect(left).toBeGreaterThan(20);
  expect(left).toBeLessThan(55);
  let turns = 0;
  expect(await quickly("tree", new QuickTurns(clock), () => void turns++)).toBe(true);
  expect(turns).toBeGreaterThan(4);
  expect(existsSync(join(base, "tree"))).toBe(false);
});

test("however many go at once, a turn is as short as for one", async () => {
  let milliseconds = 0;
  const turns = new QuickTurns(() => {
    milliseconds += 0.1;
    return milliseconds;
  });
  const names = Array.from({ length: 20 }, (_, index) => `${index}`);
  for (const name of names) make(`${name}/file`);
  let longest = 0;
  let isOver = false;
  let before = 0;
  const turn = (): void => {
    longest = Math.max(longest, milliseconds - before);
    before = milliseconds;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const gone = await Promise.all(names.map((name) => quickly(name, turns)));
  isOver = true;
  expect(gone.filter(Boolean).length).toBeGreaterThan(10);
  // Those that find the turn taken look at the clock, too.
  expect(longest).toBeLessThan(10);
});

test("a disk that makes one wait is left to the thread pool", async () => {
  let milliseconds = 0;
  const turns = new QuickTurns(() => milliseconds);
  const waits = (): void => {
    turns.run(() => {
      milliseconds += 6;
      return "gone";
    });
  };
  // Now and then everything waits for a processor.
  for (let call = 1; call <= 10; call++) {
    make("tree/file");
    expect(await quickly("tree", turns), `${call}`).toBe(true);
    if (call === 3 || call === 5) waits();
  }
  for (let call = 1; call <= 3; call++) waits();
  make("tree/file");
  expect(await quickly("tree", turns)).toBe(false);
  const { poolCalls } = await whatIsMade(() => removeTree(held, "tree", undefined, turns));
  expect(poolCalls).toBeGreaterThan(0);
  expect(below("")).toEqual([]);
  milliseconds += 30_000;
  make("tree/file");
  expect(await quickly("tree", turns), "it is tried again").toBe(true);
});

test("turns that get nowhere come to an end", async () => {
  make(`tree/${"d/".repeat(15)}end`);
  let milliseconds = 0;
  // No turn comes down to what could be removed.
  const turns = new QuickTurns(() => {
    milliseconds += 0.1;
    return milliseconds;
  });
  expect(await quickly("tree", turns)).toBe(false);
  expect(existsSync(join(base, `tree/${"d/".repeat(15)}end`))).toBe(true);
});
