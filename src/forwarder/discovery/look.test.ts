import type * as fs from "node:fs";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";
import { FINGERPRINT_BYTES, headMatches, tailMatches } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { PlainFile } from "../reading/plain-file.ts";
import { lookAt } from "./look.ts";
import { newSource } from "./new-source.ts";

/** Called before each system call that looks into a file. */
const looking = vi.hoisted(() => {
  // Test files share what they import: what is looked at here is to be imported anew, here and by those that come afterwards.
  vi.resetModules();
  return { step: (): void => undefined };
});
afterAll(() => void vi.resetModules());
vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  const before =
    <Args extends unknown[], Result>(call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      looking.step();
      return call(...args);
    };
  return { ...real, readSync: before(real.readSync), fstatSync: before(real.fstatSync as never) };
});

let folder = "";
let path = "";
const begin = { group: 0, entry: 0, compressed: false, at: 0, now: 0 };
const content = (letter: string, bytes: number): string => `${letter.repeat(99)}\n`.repeat(Math.ceil(bytes / 100));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "look-"));
  path = join(folder, "app.log");
});
afterEach(() => {
  looking.step = () => undefined;
  rmSync(folder, { recursive: true });
});

function opened(): OpenFile {
  const file = OpenFile.at(path);
  if (file === undefined) throw new Error("no file");
  return file;
}

/** What is known of the source is true of `text`, the whole content of a file or its beginning. */
function expectOneContent(source: ReturnType<typeof newSource>, text: string): void {
  const bytes = Buffer.from(text);
  expect(headMatches(source.fingerprint, bytes.subarray(0, FINGERPRINT_BYTES)), "its beginning").toBe(true);
  const end = bytes.subarray(Math.max(0, source.size - 64), source.size);
  expect(source.size).toBeLessThanOrEqual(bytes.length);
  expect(tailMatches(source.sizeTail, end), "its end").toBe(true);
}

it.each([200, 3000])(
  "keeps what is of one content, whenever the file is truncated and written anew (%i bytes)",
  (bytes) => {
    const [first, grown, second] = [content("a", bytes), content("a", 2 * bytes), content("b", 5 * bytes)];
    let happened = 0;
    for (let moment = 0; moment < 12; moment++) {
      looking.step = () => undefined;
      writeFileSync(path, first);
      const file = opened();
      const source = newSource("app.log", file, file.facts(), begin);
      expectOneContent(source, first);
      writeFileSync(path, grown);
      let left = moment;
      looking.step = () => {
        if (left-- !== 0) return;
        happened++;
        truncateSync(path);
        writeFileSync(path, second);
      };
      const sight = lookAt(source, file);
      looking.step = () => undefined;
      expectOneContent(source, grown);
      if (left >= 0) expect(sight).toBe("grown");
      // Whatever was seen of the second, it is told at the next look at the latest.
      else if (sight === "grown") expect(lookAt(source, file)).toBe("replaced");
      file.close();
    }
    expect(happened).toBeGreaterThan(4);
  },
);

it("begins with what is of one content, whenever the file is truncated and written anew", () => {
  const [first, second] = [content("a", 500), content("b", 300)];
  for (let moment = 0; moment < 12; moment++) {
    looking.step = () => undefined;
    writeFileSync(path, first);
    const file = opened();
    const facts = file.facts();
    let left = moment;
    looking.step = () => {
      if (left-- !== 0) return;
      truncateSync(path);
      writeFileSync(path, second);
    };
    const source = newSource("app.log", file, facts, begin);
    looking.step = () => undefined;
    const isSecond = headMatches(source.fingerprint, Buffer.from(second)) && source.fingerprint.length > 0;
    expectOneContent(source, isSecond ? second : first);
    // It grows by what the facts from before were ahead: that is no truncation.
    if (isSecond) {
      writeFileSync(path, content("b", 700));
      expect(lookAt(source, file)).toBe("grown");
    }
    file.close();
  }
});

it.each([
  ["with nothing", ""],
  ["alike", "26"],
])(
  "reads what its bytes say, when the file was looked at as something else while they were on their way: begun %s",
  async (_, known) => {
    for (const [first, second] of [
      ["2697 first\n", "2698 second\n2699\n"],
      ["2697 first\n2698\n", "2699\n"],
    ] as const) {
      writeFileSync(path, known);
      const held = opened();
      const source = newSource("app.log", held, held.facts(), begin);
      source.file = held;
      const options = { buffer: Buffer.alloc(65_536), encoding: "utf-8", maximumLine: 1000 } as const;
      const reader = PlainFile.of(source, held, options);
      if (reader === "replaced") throw new Error("replaced before it was read");
      writeFileSync(path, first);
      const read = vi.spyOn(held, "read").mockImplementation(async (buffer, at) => {
        read.mockRestore();
        const count = await held.read(buffer, at);
        truncateSync(path);
        writeFileSync(path, second);
        lookAt(source, held);
        return count;
      });
      expect(await reader.next(false)).toMatchObject({ kind: "lines", base: 0, last: first.length - 1 });
      // Its copy is known by this, and what lies there now is something else.
      expect(headMatches(source.fingerprint, Buffer.from(first))).toBe(true);
      expect(lookAt(source, held)).toBe("replaced");
      reader.close();
      held.close();
    }
  },
);

it("asks nothing of the kernel when what was found by its name is what is known, and all when it is not", () => {
  writeFileSync(path, "1 first\n");
  const file = opened();
  const source = newSource("app.log", file, file.facts(), begin);
  const before = file.facts();
  let calls = 0;
  looking.step = () => void calls++;
  expect(lookAt(source, file, before)).toBe("same");
  expect(calls).toBe(0);
  expect(lookAt(source, file)).toBe("same");
  expect(calls).toBe(1);
  writeFileSync(path, "1 first\n2 second\n");
  expect(lookAt(source, file, file.facts())).toBe("grown");
  // Found before the newest change: what the open file says counts.
  expect(lookAt(source, file, before)).toBe("same");
  expect(source.size).toBe(17);
  file.close();
});
