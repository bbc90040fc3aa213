import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { type Heap, HeapPace } from "./heap-pace.ts";

const LOOK = 5_000;
const MB = 1024 ** 2;

/** What a heap is told, in order; how busy the process is and what it holds is said from outside. */
function fakeHeap() {
  const told: string[] = [];
  const state = { utilization: 0, committed: 100 * MB };
  const heap: Heap = {
    utilization: () => state.utilization,
    committed: () => state.committed,
    growAtMost: (percent) => void told.push(`grow ${percent}`),
    favourMemory: (on) => void told.push(on ? "reduce" : "rest"),
    collect: () => {
      told.push("collect");
      state.committed = 40 * MB;
    },
  };
  const clock = new TestClock();
  const pace = new HeapPace(clock, heap);
  /** What was told during so many looks. */
  const during = async (looks: number): Promise<string[]> => {
    told.length = 0;
    await clock.advance(looks * LOOK);
    return [...told];
  };
  return { state, during, pace, clock };
}

describe("a process that has nothing to do", () => {
  it("lets V8 reduce what it holds, and then lets it rest until it holds a good deal more", async () => {
    const { state, during } = fakeHeap();
    expect(await during(1)).toEqual(["reduce"]);
    state.committed = 40 * MB;
    expect(await during(4)).toEqual(["rest"]);
    state.committed = 53 * MB;
    expect(await during(10)).toEqual([]);
    state.committed = 55 * MB;
    expect(await during(1)).toEqual(["reduce"]);
  });

  it("collects once itself when V8 has not by then, and gives the reducer, which that wakes, as long again", async () => {
    const { during } = fakeHeap();
    expect(await during(4)).toEqual(["reduce"]);
    expect(await during(1)).toEqual(["collect"]);
    expect(await during(3)).toEqual([]);
    expect(await during(10)).toEqual(["rest"]);
  });

  it("stops that as soon as there is work, and begins anew after it", async () => {
    const { state, during } = fakeHeap();
    await during(1);
    state.utilization = 0.5;
    expect(await during(1)).toEqual(["rest"]);
    state.utilization = 0;
    expect(await during(1)).toEqual(["reduce"]);
  });
});

describe("work that lasts longer than a burst", () => {
  it("gets a bound to its garbage, once, until it is over", async () => {
    const { state, during } = fakeHeap();
    state.utilization = 0.5;
    expect(await during(1)).toEqual([]);
    expect(await during(1)).toEqual(["grow 100", "reduce"]);
    expect(await during(6)).toEqual(["rest"]);
    state.utilization = 0.05;
    expect(await during(1)).toEqual(["grow 0", "rest", "reduce"]);
    state.utilization = 0.5;
    expect(await during(1)).toEqual(["rest"]);
  });

  it("gives back the pages that V8 keeps for later, at its beginning and each minute", async () => {
    const { state, during } = fakeHeap();
    state.utilization = 0.5;
    await during(3);
    expect(await during(10)).toEqual([]);
    expect(await during(1)).toEqual(["reduce"]);
    expect(await during(1)).toEqual(["rest"]);
    expect(await during(10)).toEqual([]);
    expect(await during(1)).toEqual(["reduce"]);
    // It ends while they are given back.
    state.utilization = 0;
    expect(await during(1)).toEqual(["grow 0", "rest", "reduce"]);
  });
});

it("does nothing more once it is closed", async () => {
  const { during, pace, clock } = fakeHeap();
  pace.close();
  expect(await during(3)).toEqual([]);
  expect(clock.pending).toBe(0);
});

describe("V8", () => {
  /** What a program prints that has `own`, the heap of its process. */
  const outputOf = (program: string, ...flags: string[]): string => {
    const module = JSON.stringify(pathToFileURL(join(import.meta.dirname, "heap-pace.ts")));
    const text = `const { ownHeap } = await import(${module}); const own = ownHeap(); ${program}`;
    return execFileSync(process.execPath, [...flags, "--input-type=module", "-e", text], { encoding: "utf8" });
  };

  it("keeps less garbage while it is told to", () => {
    const most = (first: string): number =>
      Number(
        outputOf(
          `${first}
        const { getHeapSpaceStatistics } = await import("node:v8");
        const kept = [];
        let most = 0;
        for (let index = 0; index < 4_000_000; index++) {
          kept[index % 400_000] = { index, text: String(index) };
          if (index % 1000 !== 0) continue;
          const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space");
          most = Math.max(most, old.space_used_size);
        }
        console.log(most);`,
          "--max-semi-space-size=1",
        ),
      );
    const [held, without] = [most("own.growAtMost(25);"), most("own.growAtMost(0);")];
    expect(held, `instead of ${without}`).toBeLessThan(0.85 * without);
  });

  it("empties its pool of pages in the collections of a busy process that is told to", () => {
    const collections = (first: string): string[] =>
      outputOf(
        `own.growAtMost(100); ${first}
        const kept = [];
        for (let index = 0; index < 2_000_000; index++) kept[index % 200_000] = { index, text: String(index) };`,
        ...["--trace-gc", "--max-semi-space-size=1"],
      )
        .split("\n")
        .filter((line) => line.includes("Mark-Compact"));
    expect(collections("own.favourMemory(true);").filter((line) => line.includes("(reduce)"))).not.toEqual([]);
    expect(collections("").filter((line) => line.includes("(reduce)"))).toEqual([]);
  });

  /** How often V8's reducer began in a second and a half after a burst, with a little work all the time, which keeps it away. */
  const reductions = (first: string): number => {
    const program = `
      let kept = Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: String(index) }));
      kept = undefined;
      setTimeout(() => { ${first} });
      const work = setInterval(() => { kept = Array.from({ length: 50_000 }, (_, index) => ({ index })) }, 5);
      setTimeout(() => clearInterval(work), 1_500);`;
    const text = outputOf(program, "--trace-memory-reducer", "--gc-memory-reducer-start-delay-ms=20");
    expect(text).toContain("Memory reducer: ");
    return text.split("started GC #1").length - 1;
  };

  it("reduces what a process holds when it is told that memory counts, and not without", () => {
    expect(reductions("own.favourMemory(true);")).toBeGreaterThan(0);
    expect(reductions("own.favourMemory(true); own.favourMemory(false);")).toBe(0);
  });

  it("collects when it is asked to", () => {
    const part = outputOf(
      `let kept = Array.from({ length: 300_000 }, (_, index) => ({ index, text: String(index) }));
      setTimeout(() => {
        const before = own.committed();
        kept = undefined;
        own.collect();
        console.log(own.committed() / before);
      });`,
      "--max-semi-space-size=4",
    );
    expect(Number(part)).toBeLessThan(0.7);
  });

  it("tells how much of the time the event loop worked since the last question", () => {
    const share = outputOf(`
      await new Promise((resolve) => setTimeout(resolve, 1));
      own.utilization();
      const until = performance.now() + 100;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 0));
      const busy = own.utilization();
      await new Promise((resolve) => setTimeout(resolve, 200));
      console.log(busy > 0.5 && own.utilization() < 0.3 ? 1 : 0);`);
    expect(share.trim()).toBe("1");
  });
});
