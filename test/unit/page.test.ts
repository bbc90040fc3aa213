import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, vi } from "vitest";

// The page is plain JavaScript without types: what is used of it is named here.
const ui = resolve(import.meta.dirname, "../../ui");
const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(join(ui, name)).href)) as T;

interface Usage {
  readonly throttled: number | undefined;
  readonly cpus: number | undefined;
  readonly memory: number | undefined;
}
const format = await load<{
  bytes(count: unknown): string;
  number(value: number, digits?: number): string;
  duration(seconds: number): string;
  stateWord(state: string): string;
  portCount(ranges: unknown): number;
}>("format.js");
const model = await load<{
  readUsage(entries: unknown, before?: ReadonlyMap<string, Usage>): Map<string, Usage>;
  readFrameworks(
    state: unknown,
    usage: ReadonlyMap<string, Usage>,
    reasons?: ReadonlyMap<string, unknown>,
  ): { running: readonly unknown[]; ended: readonly { task?: { id: string } }[] };
  readReasons(answer: unknown): ReadonlyMap<string, unknown>;
  isStarved(ended: { task: { why: string | undefined } | undefined }): boolean;
  countStates(tasks: readonly { state: string }[]): [string, number][];
  ordered<T>(rows: readonly T[], name: string): readonly T[];
  readResources(state: unknown, usage: ReadonlyMap<string, Usage>): readonly object[];
}>("model.js");
const ansi = await load<{
  readable(text: string): string;
  styled(text: string, look?: object): { runs: readonly object[]; look: object };
}>("ansi.js");
const curves = await load<{
  Curves: new () => {
    add(at: number, figures: ReadonlyMap<string, object>): void;
    of(key: string): readonly { at: number; cpus?: number }[];
  };
  pathOf(samples: readonly object[], name: string, highest: number, now: number): { line: string; area: string };
}>("curves.js");

describe("the page's figures", () => {
  it("are read by people", () => {
    expect([0, 1023, 1536, 5 * 1024 ** 3, 150 * 1024, undefined].map(format.bytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KB",
      "5 GB",
      "150 KB",
      "–",
    ]);
    expect([0.1 + 0.2, 1000, 0.0004].map((value) => format.number(value))).toEqual(["0.3", "1000", "0"]);
    expect([0.5, 59, 61, 3600, 90_061, -3].map(format.duration)).toEqual([
      "0 s",
      "59 s",
      "1 min 1 s",
      "1 h",
      "1 d 1 h",
      "0 s",
    ]);
    expect(format.stateWord("TASK_GONE_BY_OPERATOR")).toBe("gone by operator");
    expect([undefined, "[31000-31009, 32000-32000]", "[]"].map(format.portCount)).toEqual([0, 11, 0]);
  });
});

describe("the page's model", () => {
  const sample = (timestamp: number, seconds: number): unknown[] => [
    {
      framework_id: "f",
      executor_id: "e",
      statistics: { timestamp, cpus_user_time_secs: seconds, cpus_system_time_secs: 1, mem_rss_bytes: 2 * 1024 ** 2 },
    },
  ];

  it("knows CPU from two looks, and not across a restart of the container", () => {
    const first = model.readUsage(sample(100, 10));
    expect([...first.values()][0]).toMatchObject({ cpus: undefined, memory: 2 * 1024 ** 2 });
    const second = model.readUsage(sample(104, 12), first);
    expect([...second.values()][0]?.cpus).toBe(0.5);
    expect([...model.readUsage(sample(104, 12), second).values()][0]?.cpus).toBe(0.5);
    expect([...model.readUsage(sample(108, 1), second).values()][0]?.cpus).toBeUndefined();
  });

  it("knows from two looks how much a limit throttles, and how many containers it does so to", () => {
    const look = (timestamp: number, ...throttled: number[]): unknown[] =>
      throttled.map((count, index) => ({
        framework_id: "f",
        executor_id: String(index),
        statistics: {
          timestamp,
          cpus_nr_periods: timestamp * 10,
          cpus_nr_throttled: count,
          cpus_throttled_time_secs: 3,
        },
      }));
    const first = model.readUsage(look(10, 0, 0));
    expect([...first.values()].map(({ throttled }) => throttled)).toEqual([undefined, undefined]);
    const second = model.readUsage(look(20, 25, 1), first);
    expect([...second.values()]).toMatchObject([{ throttled: 25, throttledSeconds: 3 }, { throttled: 1 }]);
    const [cpus, mem] = model.readResources({ resources: { cpus: 4, mem: 10 } }, second);
    expect(cpus).toMatchObject({ name: "cpus", heldBack: 1 });
    expect(mem).not.toHaveProperty("heldBack");
    const end = (why: string | undefined) => model.isStarved({ task: { why } });
    expect([end("x · REASON_CONTAINER_LIMITATION_MEMORY"), end("x"), end(undefined)]).toEqual([true, false, false]);
    expect(model.isStarved({ task: undefined })).toBe(false);
  });

  it("adds reserved and unreserved allocations, and counts ports", () => {
    const state = {
      resources: { cpus: 4, gpus: 0, mem: 1024, disk: 0, ports: "[1-10]", zones: "{a, b}" },
      unreserved_resources_allocated: { cpus: 1, mem: 100, ports: "[1-2]" },
      reserved_resources_allocated: { web: { cpus: 0.5, ports: "[5-5]" } },
    };
    const usage = model.readUsage(sample(1, 1));
    const shown = model.readResources(state, usage);
    expect(shown).toMatchObject([
      { name: "cpus", total: 4, allocated: 1.5, inUse: undefined },
      { name: "mem", total: 1024, allocated: 100, inUse: 2 },
      { name: "disk", total: 0, allocated: 0 },
      { name: "ports", total: 10, allocated: 3 },
      { name: "zones", isSet: true, text: "{a, b}" },
    ]);
  });

  it("tells a task that is its own executor from an executor with tasks, and puts what ended last first", () => {
    const ended = (id: string, timestamp: number): object => ({
      id,
      state: "TASK_FAILED",
      statuses: [
        { state: "TASK_RUNNING", timestamp: 1 },
        { state: "TASK_FAILED", timestamp },
      ],
    });
    const state = {
      frameworks: [
        {
          id: "f",
          name: "F",
          role: "*",
          executors: [
            {
              id: "t",
              tasks: [{ id: "t", state: "TASK_RUNNING", statuses: [{ state: "TASK_STARTING", timestamp: 5 }] }],
            },
            { id: "x", tasks: [{ id: "1" }], queued_tasks: [{ id: "2" }], completed_tasks: [ended("old", 10)] },
          ],
          completed_executors: [{ id: "gone", completed_tasks: [ended("new", 20)] }],
        },
        { id: "empty", executors: [], completed_executors: [] },
      ],
      completed_frameworks: [{ id: "g", executors: [], completed_executors: [{ id: "only" }] }],
    };
    const { running, ended: all } = model.readFrameworks(state, new Map());
    expect(running).toMatchObject([
      {
        roles: [],
        executors: [
          { isCommand: true, tasks: [{ id: "t", started: 5 }] },
          { isCommand: false, tasks: [{ id: "2", state: "queued" }, { id: "1" }] },
        ],
      },
    ]);
    expect(all.map(({ task }) => task?.id)).toEqual(["new", "old", undefined]);
  });

  it("survives whatever it is sent", () => {
    for (const state of [
      undefined,
      null,
      {},
      { frameworks: null, resources: 3 },
      { frameworks: [null, { executors: [null] }] },
    ]) {
      expect(() => model.readFrameworks(state, model.readUsage(state))).not.toThrow();
      expect(() => model.readResources(state, new Map())).not.toThrow();
    }
  });
});

describe("why tasks are in their state", () => {
  const state = {
    frameworks: [
      {
        id: "f",
        executors: [
          {
            id: "t",
            container: "c",
            tasks: [{ id: "t", state: "TASK_RUNNING", statuses: [{ state: "TASK_RUNNING", timestamp: 900 }] }],
          },
        ],
      },
    ],
  };
  const about = (more: object) => {
    const told = { framework_id: "f", container_id: "c", task_id: "t", ...more };
    const { running } = model.readFrameworks(state, new Map(), model.readReasons({ tasks: [told] }));
    return (running[0] as { executors: { tasks: object[] }[] }).executors[0]?.tasks[0];
  };

  it("began to run when it first did, not at its last health check", () => {
    expect(about({ running_since: 5 })).toMatchObject({ started: 5 });
    expect(about({ task_id: "other", running_since: 5 })).toMatchObject({ started: 900, why: "" });
  });

  it("is one line: what the message does not say is added, and a source alone is no reason", () => {
    const end = { message: "Command exited with status 7", exit: "exited with status 7", source: "SOURCE_EXECUTOR" };
    expect(about(end)).toMatchObject({ why: "Command exited with status 7 · SOURCE_EXECUTOR" });
    expect(about({ ...end, message: "Memory limit exceeded", reason: "REASON_X" })).toMatchObject({
      why: "Memory limit exceeded · exited with status 7 · REASON_X · SOURCE_EXECUTOR",
    });
    expect(about({ source: "SOURCE_EXECUTOR" })).toMatchObject({ why: "" });
  });

  it("counts states, most first, and orders rows", () => {
    const tasks = ["TASK_FAILED", "TASK_RUNNING", "TASK_RUNNING"].map((name) => ({ state: name }));
    expect(model.countStates(tasks)).toEqual([
      ["running", 2],
      ["failed", 1],
    ]);
    const row = (name: string, cpus: number | undefined) => ({ task: { name, id: "" }, executor: { usage: { cpus } } });
    const rows = [row("b", 1), row("C", 3), row("a", undefined)];
    expect(model.ordered(rows, "name").map(({ task }) => task.name)).toEqual(["a", "b", "C"]);
    expect(model.ordered(rows, "cpu").map(({ task }) => task.name)).toEqual(["C", "b", "a"]);
    expect(model.ordered(rows, "constructor")).toBe(rows);
  });
});

describe("a terminal's output", () => {
  it.each([
    ["10 %\r20 %\r30 %", "30 %"],
    ["windows\r\nlines\r\n", "windows\nlines\n"],
    ["1 %\r2 %\nnext", "2 %\nnext"],
    ["1 %\r2 %\r", "2 %"],
    ["plain", "plain"],
  ])("%j reads %j", (text, shown) => {
    expect(ansi.readable(text)).toBe(shown);
  });

  it("has its colours, carried on from part to part, and nothing else of its sequences", () => {
    const { runs, look } = ansi.styled("a\x1b[1;31mb\x1b[0mc\x1b[2K\x1b]0;title\x07\x1b[92md");
    expect(runs).toEqual([
      { text: "a", colour: undefined, bold: false },
      { text: "b", colour: 1, bold: true },
      { text: "c", colour: undefined, bold: false },
      { text: "d", colour: 2, bold: false },
    ]);
    expect(ansi.styled("e", look).runs).toEqual([{ text: "e", colour: 2, bold: false }]);
    expect(ansi.styled("\x1b[38;5;200mx\x1b[38;2;1;31;1my\x1b[38;5;3mz").runs).toMatchObject([
      { text: "x", colour: undefined },
      { text: "y", colour: undefined },
      { text: "z", colour: 3 },
    ]);
  });
});

describe("curves", () => {
  it("remember ten minutes of what is still measured", () => {
    const kept = new curves.Curves();
    for (let at = 0; at <= 900_000; at += 5_000) kept.add(at, new Map([["a", { cpus: 1 }]]));
    expect([kept.of("a").length, kept.of("a")[0]?.at, kept.of("b")]).toEqual([120, 305_000, []]);
    kept.add(905_000, new Map());
    expect(kept.of("a")).toEqual([]);
  });

  it("have a gap where nothing is known", () => {
    const samples = [0, 20_000, 40_000, 60_000].map((at, index) => ({ at, cpus: index === 2 ? undefined : index }));
    expect(curves.pathOf(samples, "cpus", 4, 60_000)).toEqual({
      line: "M0.0 19.5L33.3 14.8M100.0 5.3",
      area: "M0.0 19.5L33.3 14.8L33.3 20H0.0ZM100.0 5.3L100.0 20H100.0Z",
    });
  });
});

it.each([
  ["", "tasks", undefined],
  ["#/", "tasks", undefined],
  ["#/completed?q=a%2Bb%3F%25%26", "completed", "a+b?%&"],
  ["#/?q=what?now=%", "tasks", "what?now=%"],
  ["#/nothing?q=%E0%A4%A", "tasks", "\ufffd%A"],
])("the address %s", async (hash, view, filter) => {
  const { route } = await load<{ route(): { view: string; parameters: URLSearchParams } }>("route.js");
  vi.stubGlobal("location", { hash });
  const shown = route();
  vi.unstubAllGlobals();
  expect([shown.view, shown.parameters.get("q") ?? undefined]).toEqual([view, filter]);
});
