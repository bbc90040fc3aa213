import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";

// The page is plain JavaScript without types: what is used of it is named here.
const ui = resolve(import.meta.dirname, "../../ui");
const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(join(ui, name)).href)) as T;

interface Usage {
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
  ): { running: readonly unknown[]; ended: readonly { task?: { id: string } }[] };
  readResources(state: unknown, usage: ReadonlyMap<string, Usage>): readonly object[];
}>("model.js");

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
