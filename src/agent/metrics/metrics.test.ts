import { describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { metricsPage } from "./docs.ts";
import { countGauges, endCounter, resourceGauges } from "./from-model.ts";
import { machineCpus } from "./machine.ts";
import { Metrics, prometheusText } from "./registry.ts";

describe("metrics", () => {
  it("have every counter from the start", async () => {
    const metrics = new Metrics(new TestClock());
    metrics.count("slave/tasks_finished");
    metrics.count("slave/tasks_finished", 2);
    const values = await metrics.snapshot();
    expect(values.get("slave/tasks_finished")).toBe(3);
    expect(values.get("slave/tasks_failed")).toBe(0);
    expect(values.has("slave/registered")).toBe(false);
  });

  it("leave out what is unknown, broken, or late", async () => {
    const clock = new TestClock();
    const metrics = new Metrics(clock);
    metrics.gauge("slave/registered", () => 1);
    metrics.gauge("slave/recovery_time_secs", () => undefined);
    metrics.gauge("system/load_1min", () => Number.NaN);
    metrics.gauge("system/load_5min", () => {
      throw new Error("broken");
    });
    metrics.gauge("system/mem_free_bytes", () => Promise.reject(new Error("broken")));
    metrics.gauge("containerizer/docker/available", () => new Promise(() => undefined));
    metrics.gauge("process/cpu_secs", async () => 7);
    metrics.gauges(() => [["gc/path_removals_pending", 4]]);
    const pending = metrics.snapshot(1000);
    await settle();
    await clock.advance(1000);
    const gauges = [...(await pending)].filter(([, value]) => value !== 0);
    expect(gauges.sort()).toEqual([
      ["gc/path_removals_pending", 4],
      ["process/cpu_secs", 7],
      ["slave/registered", 1],
    ]);
    expect(clock.pending).toBe(0);
  });

  it("keep an hour of a timer", async () => {
    const clock = new TestClock();
    const metrics = new Metrics(clock);
    metrics.time("containerizer/docker/image_pull_ms", 1_000_000);
    await clock.advance(3_599_000);
    for (let value = 1; value <= 101; value++) metrics.time("containerizer/docker/image_pull_ms", value);
    await clock.advance(2000);
    const values = await metrics.snapshot();
    const of = (suffix: string) => values.get(`containerizer/docker/image_pull_ms${suffix}`);
    expect([of(""), of("/count"), of("/min"), of("/max"), of("/p50"), of("/p90")]).toEqual([101, 101, 1, 101, 51, 91]);
  });

  it("are written for Prometheus", async () => {
    const metrics = new Metrics(new TestClock());
    metrics.count("slave/tasks_failed");
    metrics.gauge("slave/cpus_total", () => 8);
    metrics.time("containerizer/docker/image_pull_ms", 5);
    const text = prometheusText(await metrics.snapshot());
    expect(text).toContain("# TYPE mesos_slave_tasks_failed_total counter\nmesos_slave_tasks_failed_total 1\n");
    expect(text).toContain(
      "# HELP mesos_slave_cpus_total cpus: offered.\n# TYPE mesos_slave_cpus_total gauge\nmesos_slave_cpus_total 8\n",
    );
    expect(text).toContain('mesos_containerizer_docker_image_pull_ms{quantile="0.5"} 5\n');
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|[a-z]\w*(\{quantile="[\d.]+"\})? [\d.e+-]+)$/);
  });

  it("are all in the documentation", () => {
    expect(metricsPage()).toContain("| `slave/gpus_total` | gauge | since 1.0 | gpus: offered. |");
  });
});

describe("gauges of the model", () => {
  const { frameworks, total } = agentView({ tasks: 3 }).snapshot();

  it("count tasks by what they are doing", () => {
    const list = [...frameworks];
    const [first, second] = [...(list[0]?.executors.values() ?? [])].flatMap(({ tasks }) => [...tasks.values()]);
    if (first === undefined || second === undefined) throw new Error("the view has three tasks");
    first.bucket = "queued";
    second.task.state = TaskState.TASK_KILLING;
    const counts = countGauges(list);
    expect(Object.fromEntries(counts)).toEqual({
      "slave/tasks_staging": 1,
      "slave/tasks_starting": 0,
      "slave/tasks_running": 1,
      "slave/tasks_killing": 1,
      "slave/executors_registering": 0,
      "slave/executors_running": 3,
      "slave/executors_terminating": 0,
      "slave/frameworks_active": 1,
    });
  });

  it("sum resources, revocable ones apart", () => {
    const gauges = resourceGauges(total, frameworks);
    expect(gauges.get("slave/cpus_total")).toBe(8);
    expect(gauges.get("slave/cpus_used")).toBe(0.3);
    expect(gauges.get("slave/cpus_percent")).toBeCloseTo(0.0375);
    expect(gauges.get("slave/gpus_percent")).toBe(0);
    expect(gauges.get("slave/cpus_revocable_total")).toBe(0);
  });

  it("know which counter an end adds to", () => {
    expect(endCounter(TaskState.TASK_KILLED)).toBe("slave/tasks_killed");
    expect(endCounter(TaskState.TASK_RUNNING)).toBeUndefined();
  });

  it("count the machine's CPUs", () => {
    expect(machineCpus(() => "cpu  1 2\ncpu0 1\ncpu1 2\nintr 5\n")).toBe(2);
    expect(
      machineCpus(() => {
        throw new Error("no /proc");
      }),
    ).toBeUndefined();
  });
});
