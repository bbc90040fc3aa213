import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { type DrainConfig, DrainConfigSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Draining, DrainOrder } from "./draining.ts";

const order = (markGone = false): DrainConfig => create(DrainConfigSchema, { markGone });

/** An agent with `tasks` things on it, whose order file is `written`. */
function setUp(tasks: number) {
  const agent = {
    tasks,
    killed: [] as DrainConfig[],
    written: [] as (DrainConfig | undefined)[],
    hold: undefined as Promise<void> | undefined,
  };
  const drain = new DrainOrder();
  const draining = new Draining({
    clock: new TestClock(5_000),
    log: silentLogger,
    order: drain,
    identity: { id: "S1" },
    store: {
      drain: async (_id, config) => {
        await agent.hold;
        agent.written.push(config);
      },
    },
    registry: {
      active: {
        get size() {
          return agent.tasks;
        },
      },
    },
    operations: { count: 0 },
    frameworks: { drain: (config) => agent.killed.push(config) },
  });
  return { agent, drain, draining };
}

describe("draining", () => {
  it("is done at once on an empty agent", async () => {
    const { agent, drain, draining } = setUp(0);
    await draining.begin(order());
    expect(drain.config).toBeUndefined();
    expect(agent).toMatchObject({ killed: [], written: [] });
  });

  it("refuses at once, writes the order down, kills, and ends with the last thing", async () => {
    const { agent, drain, draining } = setUp(1);
    const config = order();
    const begun = draining.begin(config);
    expect(drain.config).toBe(config);
    expect(agent.killed).toEqual([]);
    await begun;
    expect(agent).toMatchObject({ killed: [config], written: [config] });
    expect(drain.since).toBe(5_000);
    await draining.check();
    expect(drain.config).toBe(config);
    agent.tasks = 0;
    await draining.check();
    expect(drain.config).toBeUndefined();
    expect(agent.written).toEqual([config, undefined]);
  });

  it("ends although everything ended while the order was written: the file goes, too", async () => {
    const { agent, draining } = setUp(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    agent.hold = promise;
    const config = order();
    const begun = draining.begin(config);
    agent.tasks = 0;
    const checked = draining.check();
    resolve();
    await Promise.all([begun, checked]);
    expect(agent).toMatchObject({ killed: [], written: [config, undefined] });
  });

  it("takes a repeated order in place of the first", async () => {
    const { agent, drain, draining } = setUp(1);
    const [first, second] = [order(), order(true)];
    await Promise.all([draining.begin(first), draining.begin(second)]);
    expect(drain.config).toBe(second);
    expect(agent).toMatchObject({ killed: [second], written: [first, second] });
  });

  it("goes on after a restart, or finds that it is over", async () => {
    const { agent, draining } = setUp(1);
    const config = order();
    draining.restore(config);
    await draining.replay();
    expect(agent).toMatchObject({ killed: [config], written: [] });
    const empty = setUp(0);
    empty.draining.restore(config);
    await empty.draining.replay();
    expect(empty.agent).toMatchObject({ killed: [], written: [undefined] });
    await settle();
    expect(empty.drain.config).toBeUndefined();
  });
});
