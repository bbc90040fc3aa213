import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../../src/base/log.ts";
import { ShutdownMessageSchema, SlaveRegisteredMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { type MasterInfo, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest } from "../support/agent-under-test.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;

/** The connection to the master, when it is not as it should be: what is sent then, and what the operator reads. */
let test: AgentUnderTest;
let lines: string[];
const note = (text: string): void => void lines.push(text);
const log: Logger = { info: note, warn: note, error: note, verbose: () => undefined, named: () => log };

beforeEach(async () => {
  lines = [];
  test = await AgentUnderTest.open();
});
afterEach(() => test.close());

const said = (text: string | RegExp): string[] =>
  lines.filter((line) => (typeof text === "string" ? line.includes(text) : text.test(line)));
const portOf = ({ pid }: ScriptedMaster): number => Number(pid.split(":").at(-1));
/** The master's process is gone; another takes its place, at the same address. */
async function restartMaster(): Promise<ScriptedMaster> {
  const port = portOf(test.master);
  await test.master.close();
  await until("the broken link", () => said("Lost the connection").length > 0);
  return test.closing(await ScriptedMaster.start(test.port, { port }));
}

describe("a master whose process ends", () => {
  it("is registered with again when another is at its address, without an election; tasks go on", async () => {
    await test.start({ log });
    await test.register();
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    const next = await restartMaster();
    await test.clock.advance(10);
    await until("re-registration", () => next.reregistrations.length === 1);
    expect(next.reregistrations[0]?.tasks).toMatchObject([{ taskId: { value: "one" } }]);
    expect(said("Disconnected from the master: the link to the master broke")).toHaveLength(1);
    await until("announcement", () => next.announcements.length === 1);
    test.machine.containerOf("one")?.end(0);
    await next.status("one", TASK_FINISHED);
  });

  it("is asked for every few seconds at most as long as nobody listens there", async () => {
    await test.start({ log, flags: ["--registration_backoff_factor=30secs"] });
    test.lead();
    await test.clock.advance(50);
    await until("announcement", () => test.master.announcements.length === 1);
    await test.clock.advance(10_000);
    const port = portOf(test.master);
    await test.master.close();
    await until("the broken link", () => said("Lost the connection").length > 0);
    await test.clock.advance(15_000);
    for (let attempt = 1; attempt <= 4; attempt++) {
      await until(`attempt ${attempt}`, () => said("Cannot connect").length === attempt);
      await test.clock.advance(4_999);
      expect(said("Cannot connect")).toHaveLength(attempt);
      await test.clock.advance(1);
    }
    const next = test.closing(await ScriptedMaster.start(test.port, { port }));
    await test.clock.advance(5_000);
    await until("re-registration", () => next.reregistrations.length > 0);
  });
});

describe("a master that does not answer", () => {
  it("is explained after three attempts, six, twelve, and not in between", async () => {
    test.master.answers = false;
    await test.start({ log, flags: ["--registration_backoff_factor=1mins"] });
    test.lead();
    const explained: number[] = [];
    for (let attempt = 1; attempt <= 14; attempt++) {
      const before = lines.length;
      // Half of a minute, the longest wait; a process that just started has none.
      await test.clock.advance(attempt === 1 ? 50 : 30_000);
      await until(`registration ${attempt}`, () => test.master.registrations.length === attempt);
      if (lines.slice(before).some((line) => /attempt/i.test(line))) explained.push(attempt - 1);
    }
    expect(explained).toEqual([3, 6, 12]);
  });

  it("leaves the agent waiting once it answers late, without another registration", async () => {
    test.master.answers = false;
    await test.start({ log });
    test.lead();
    await test.clock.advance(10);
    await until("registration", () => test.master.registrations.length === 1);
    test.master.send(SlaveRegisteredMessageSchema, { agentId: { value: "S0" } });
    await until("announcement", () => test.master.announcements.length === 1);
    await test.clock.advance(60_000);
    await test.master.quiet();
    expect(test.master.registrations).toHaveLength(1);
    expect(test.master.reregistrations).toEqual([]);
  });
});

describe("a leader that cannot be reached", () => {
  it("because its address is none is waited for, and said", async () => {
    const listeners: ((master: MasterInfo | undefined) => void)[] = [];
    const detector = { watch: (one: (typeof listeners)[0]) => void listeners.push(one), close: async () => undefined };
    const detect = (master: MasterInfo | undefined): void => listeners[0]?.(master);
    await test.start({ log, detector });
    detect({ ...test.master.info, pid: "nowhere" });
    expect(said("The leading master has no usable address ('nowhere')")).toHaveLength(1);
    await test.clock.advance(120_000);
    expect(test.master.registrations).toEqual([]);
    detect(undefined);
    expect(said("No master leads")).toHaveLength(1);
    detect(test.master.info);
    expect(said(`Master ${test.master.pid} leads (Mesos 1.11.0)`)).toHaveLength(1);
    await test.clock.advance(10);
    await until("registration", () => test.master.registrations.length === 1);
  });
});

describe("a ping of a 0.24 master", () => {
  const pongs = () => test.master.received.filter((name) => name === "PONG").length;
  const ping = async (body: readonly number[]) => {
    const before = pongs();
    test.master.sendBytes("PING", Uint8Array.from(body));
    await until("PONG", () => pongs() > before);
  };

  it.each([
    ["that says it is connected", [8, 1]],
    ["that cannot be read", [255]],
  ])("%s is answered by its name, and puts off the end of waiting", async (_name, body) => {
    await test.start();
    await test.register();
    await test.clock.advance(74_000);
    await ping(body);
    await test.clock.advance(74_999);
    expect(test.master.reregistrations).toEqual([]);
    await test.clock.advance(20);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });

  it("that says the connection was lost makes the agent register again", async () => {
    await test.start();
    await test.register();
    await ping([8, 0]);
    await test.clock.advance(10);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });
});

describe("the time without pings", () => {
  it.each([0, -5])("is the usual one when the master says %d seconds", async (seconds) => {
    test.master.pingTimeout = seconds;
    await test.start();
    await test.register();
    await test.master.quiet();
    await test.clock.advance(74_999);
    expect(test.master.reregistrations).toEqual([]);
    await test.clock.advance(20);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });

  it("is what the leader says: who does not lead cannot shorten it", async () => {
    await test.start();
    await test.register();
    const stranger = test.closing(await ScriptedMaster.start(test.port));
    stranger.send(SlaveRegisteredMessageSchema, {
      agentId: { value: "S0" },
      connection: { totalPingTimeoutSeconds: 1 },
    });
    await stranger.quiet();
    await test.master.quiet();
    await test.clock.advance(74_000);
    expect(test.master.reregistrations).toEqual([]);
  });

  it("ends with the agent's own shutdown", async () => {
    test.machine.obeys = false;
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    test.node.agent.shutdown("a test");
    await test.clock.advance(200_000);
    await test.master.quiet();
    expect(test.master.reregistrations).toEqual([]);
    test.machine.containerOf("one")?.end(9);
    await test.node.ended;
  });
});

describe("a shutdown", () => {
  it.each([
    ["Agent has been removed", "Agent has been removed"],
    ["", "no reason given"],
  ])("with the message '%s' is told to the operator as: %s", async (message, words) => {
    await test.start({ log });
    await test.register();
    test.master.send(ShutdownMessageSchema, { message });
    await test.node.ended;
    expect(said(`asks this agent to shut down: ${words}`)).toHaveLength(1);
  });

  it("of who does not lead ends nothing", async () => {
    await test.start({ log });
    await test.register();
    const stranger = test.closing(await ScriptedMaster.start(test.port));
    stranger.send(ShutdownMessageSchema, { message: "go" });
    await stranger.quiet();
    expect(test.node.exitCode).toBeUndefined();
    expect(said("asks this agent to shut down")).toEqual([]);
  });

  it("by the operator before there is a master tells nobody", async () => {
    await test.start({ log });
    test.node.agent.shutdown("SIGUSR1", { unregister: true });
    await test.node.ended;
    test.lead();
    await test.clock.advance(60_000);
    expect(test.master.received).toEqual([]);
  });
});
