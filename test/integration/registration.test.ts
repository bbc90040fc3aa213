import { createHmac } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Registration, type RegistrationOptions } from "../../src/agent/master/registration.ts";
import { MasterChannel } from "../../src/agent/model/master-channel.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../src/libprocess/upid.ts";
import type { MasterDetector } from "../../src/mesos/detector.ts";
import * as messages from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { type MasterInfo, MasterInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { TestClock } from "../support/test-clock.ts";

/** Things that happened, in order; `until` waits for one that has not been waited for. */
class EventLog {
  readonly all: string[] = [];
  #seen = 0;
  #wake: () => void = () => undefined;

  add(what: string): void {
    this.all.push(what);
    this.#wake();
  }

  async until(what: string | RegExp): Promise<string> {
    for (;;) {
      const at = this.all.findIndex((each, index) => index >= this.#seen && matches(each, what));
      if (at >= 0) {
        this.#seen = at + 1;
        return this.all[at] ?? "";
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const matches = (text: string, what: string | RegExp): boolean =>
  typeof what === "string" ? text.startsWith(what) : what.test(text);

const options = { bind: { ip: "127.0.0.1", port: 0 }, advertise: { ip: "127.0.0.1" }, log: silentLogger };
const uuid = { value: new Uint8Array(16) };

let clock: TestClock;
let agent: Process;
let master: Process;
let happened: EventLog;
let lead: (master: MasterInfo | undefined) => void = () => undefined;
let registration: Registration | undefined;
let id: string | undefined;
let closing: { close(): unknown }[] = [];

const infoOf = (process: Process): MasterInfo =>
  create(MasterInfoSchema, {
    id: "m",
    ip: 1,
    port: process.self.port,
    pid: formatUPID(process.self),
    version: "1.11.0",
  });

const agentInfo = (): MessageInitShape<typeof messages.RegisterSlaveMessageSchema>["agent"] => ({
  hostname: "node",
  port: agent.self.port,
  checkpoint: true,
  ...(id === undefined ? {} : { id: { value: id } }),
});

/** A master that says what it gets, and answers registrations. */
async function startMaster(port = 0, answers = true): Promise<Process> {
  const process = await Process.start({
    ...options,
    id: "master",
    bind: { ip: "127.0.0.1", port },
    clock: systemClock,
  });
  closing.push(process);
  process.install(messages.RegisterSlaveMessageSchema, (from) => {
    happened.add("register");
    if (answers)
      process.send(
        from,
        messages.SlaveRegisteredMessageSchema,
        create(messages.SlaveRegisteredMessageSchema, {
          agentId: { value: "S1" },
          connection: { totalPingTimeoutSeconds: 30.7 },
        }),
      );
  });
  process.install(messages.ReregisterSlaveMessageSchema, (from, message) => {
    happened.add(`reregister ${message.agent?.id?.value}`);
    const answer = create(messages.SlaveReregisteredMessageSchema, { agentId: { value: "S1" } });
    if (answers) process.send(from, messages.SlaveReregisteredMessageSchema, answer);
  });
  process.on("PONG", () => happened.add("PONG"));
  process.on("mesos.internal.PongSlaveMessage", () => happened.add("PongSlaveMessage"));
  process.install(messages.UnregisterSlaveMessageSchema, () => happened.add("unregister"));
  return process;
}

const announcements: RegistrationOptions["announcements"] = {
  register: () =>
    create(messages.RegisterSlaveMessageSchema, {
      agent: agentInfo() ?? {},
      version: "1.11.0",
      resourceVersionUuid: uuid,
    }),
  reregister: () => create(messages.ReregisterSlaveMessageSchema, { agent: agentInfo() ?? {}, version: "1.11.0" }),
};

function register(more: Partial<RegistrationOptions> = {}): void {
  const detector: MasterDetector = {
    watch: (listener) => {
      lead = listener;
    },
    close: async () => undefined,
  };
  const log: Logger = {
    ...silentLogger,
    warn: (line) => happened.add(`warn: ${line}`),
    info: (line) => happened.add(`info: ${line}`),
  };
  registration = new Registration({
    process: agent,
    detector,
    clock,
    log,
    random: () => 0.5,
    backoffFactor: 1_000,
    master: new MasterChannel(agent, log),
    announcements,
    identity: {
      get knownId() {
        return id;
      },
    },
    events: {
      registered: (given, _message, duplicate) => {
        id = given;
        happened.add(`event: registered ${given}${duplicate ? " again" : ""}`);
      },
      reregistered: () => happened.add("event: reregistered"),
      disconnected: (why) => happened.add(`event: disconnected, ${why}`),
      detected: () => undefined,
      shutdown: (message) => happened.add(`event: shutdown ${message}`),
      refused: (refusal, why) => happened.add(`event: refused ${refusal} ${why}`),
    },
    ...more,
  });
  registration.start();
}

beforeEach(async () => {
  happened = new EventLog();
  clock = new TestClock();
  id = undefined;
  closing = [];
  agent = await Process.start({ ...options, id: "slave(1)", clock: systemClock });
  master = await startMaster();
});

afterEach(async () => {
  await registration?.close();
  for (const each of closing) await each.close();
  await agent.close();
});

async function run(): Promise<void> {
  register();
  lead(infoOf(master));
  await clock.advance(50);
  await happened.until("event: registered S1");
}

describe("registration on the wire", () => {
  it("registers, answers pings in both dialects, and knows duplicates", async () => {
    await run();
    expect(registration?.phase).toBe("running");
    master.sendBytes(agent.self, "PING", Buffer.from([8, 1]));
    await happened.until("PONG");
    master.send(
      agent.self,
      messages.PingSlaveMessageSchema,
      create(messages.PingSlaveMessageSchema, { connected: true }),
    );
    await happened.until("PongSlaveMessage");
    const again = create(messages.SlaveRegisteredMessageSchema, { agentId: { value: "S1" } });
    master.send(agent.self, messages.SlaveRegisteredMessageSchema, again);
    await happened.until("event: registered S1 again");
  });

  it("answers pings before it knows a master", async () => {
    register();
    master.sendBytes(agent.self, "PING", Buffer.from([8, 0]));
    await happened.until("PONG");
  });

  it("registers again after the master's own ping timeout", async () => {
    await run();
    await clock.advance(29_999);
    expect(registration?.phase).toBe("running");
    await clock.advance(1);
    await happened.until(/event: disconnected, no ping/);
    await clock.advance(1_000);
    await happened.until("reregister S1");
    await happened.until("event: reregistered");
  });

  it("registers again when a ping says that the master lost the connection", async () => {
    await run();
    master.send(
      agent.self,
      messages.PingSlaveMessageSchema,
      create(messages.PingSlaveMessageSchema, { connected: false }),
    );
    await happened.until(/event: disconnected, the master says/);
    await clock.advance(1_000);
    await happened.until("event: reregistered");
  });

  it("comes back to a master that was restarted at the same address", async () => {
    await run();
    const { port } = master.self;
    await master.close();
    await happened.until(/event: disconnected, the link/);
    await clock.advance(1_000);
    await happened.until(/warn: Cannot connect/);
    master = await startMaster(port);
    await clock.advance(5_000);
    await happened.until("reregister S1");
    await happened.until("event: reregistered");
  });

  it("follows the leader", async () => {
    await run();
    const next = await startMaster();
    lead(undefined);
    await happened.until("event: disconnected, the leader is lost");
    lead(infoOf(next));
    await clock.advance(1_000);
    await happened.until("event: reregistered");
    const stale = create(messages.ShutdownMessageSchema, { message: "from the old master" });
    master.send(agent.self, messages.ShutdownMessageSchema, stale);
    await happened.until(/warn: Ignored a message/);
    next.send(agent.self, messages.ShutdownMessageSchema, create(messages.ShutdownMessageSchema, { message: "bye" }));
    await happened.until("event: shutdown bye");
    expect(registration?.phase).toBe("terminating");
  });

  it("explains silence with what was sent", async () => {
    await master.close();
    master = await startMaster(0, false);
    register();
    lead(infoOf(master));
    for (const wait of [500, 1_000, 2_000]) {
      await clock.advance(wait);
      await happened.until("register");
    }
    await clock.advance(4_000);
    const line = await happened.until(/warn: No answer/);
    expect(line).toContain("after 3 attempts");
    expect(line).toContain("give a --credential");
    expect(line).toContain("host name 'node'");
  });

  it("never sends what would abort the master", async () => {
    register({
      announcements: {
        ...announcements,
        register: () =>
          create(messages.RegisterSlaveMessageSchema, {
            agent: agentInfo() ?? {},
            version: "1.11.0",
            checkpointedResources: [
              { name: "cpus", type: 0, scalar: { value: 1 }, role: "r", reservation: { principal: "p" } },
            ],
          }),
      },
    });
    lead(infoOf(master));
    await clock.advance(1_000);
    expect(await happened.until(/event: refused/)).toMatch(/invalid.*reservations and volumes need/);
    expect(happened.all).not.toContain("register");
  });

  it("unregisters on its way out", async () => {
    await run();
    registration?.terminate({ unregister: true });
    await happened.until("unregister");
    expect(registration?.phase).toBe("terminating");
  });
});

describe("authentication on the wire", () => {
  const credential = { principal: "tim", secret: "secret" };

  /** The master's side of CRAM-MD5; `fail` ends it the way given. */
  function authenticator(fail?: "error" | "failed" | "silence"): void {
    let count = 0;
    master.install(messages.AuthenticateMessageSchema, (from, { pid }) => {
      happened.add(`authenticate ${parseUPID(pid)?.id} by ${from?.id}`);
      const session = master.spawn(`crammd5-authenticator-session(${++count})`);
      closing.unshift({ close: () => session.terminate() });
      const challenge = Buffer.from(`<${count}.1@master>`);
      if (fail === "silence" && count === 1) return;
      session.install(messages.AuthenticationStartMessageSchema, (client, { data }) => {
        expect(data).toHaveLength(0);
        const step = create(messages.AuthenticationStepMessageSchema, { data: challenge });
        session.send(client, messages.AuthenticationStepMessageSchema, step);
      });
      session.install(messages.AuthenticationStepMessageSchema, (client, { data }) => {
        const digest = createHmac("md5", "secret").update(challenge).digest("hex");
        finish(session, client, Buffer.from(data).toString() === `tim ${digest}`);
      });
      if (fail === "error" && count === 1) {
        const error = create(messages.AuthenticationErrorMessageSchema, { error: "No authenticator loaded" });
        session.send(from, messages.AuthenticationErrorMessageSchema, error);
        return;
      }
      const offer = create(messages.AuthenticationMechanismsMessageSchema, { mechanisms: ["CRAM-MD5"] });
      session.send(from, messages.AuthenticationMechanismsMessageSchema, offer);
    });
    const finish = (session: Process, client: UPID | undefined, accepted: boolean): void => {
      const schema =
        accepted && fail !== "failed"
          ? messages.AuthenticationCompletedMessageSchema
          : messages.AuthenticationFailedMessageSchema;
      session.sendBytes(client, schema.typeName);
    };
  }

  it("authenticates as itself, then registers", async () => {
    authenticator();
    register({ credential });
    lead(infoOf(master));
    await clock.advance(1_000);
    await happened.until("authenticate slave(1) by crammd5-authenticatee(1)");
    await happened.until("event: registered S1");
  });

  it("tries again after an error and after silence", async () => {
    authenticator("error");
    register({ credential });
    lead(infoOf(master));
    await clock.advance(1_000);
    await happened.until(/warn: Authentication.*No authenticator loaded/);
    await clock.advance(1_000);
    await happened.until("event: registered S1");
  });

  it("tries again when the master falls silent", async () => {
    authenticator("silence");
    register({ credential });
    lead(infoOf(master));
    await clock.advance(1_000);
    await happened.until(/authenticate/);
    await clock.advance(6_000);
    await happened.until(/warn: Authentication.*advertises/);
    await happened.until("authenticate slave(1) by crammd5-authenticatee(2)");
    await happened.until("event: registered S1");
  });

  it("says that nobody is there, and where, when the connection is refused", async () => {
    const { ip } = master.self;
    const port = await freePort();
    register({ credential });
    lead({ ...infoOf(master), pid: `master@${ip}:${port}` });
    await clock.advance(1_000);
    await happened.until(/warn: Cannot connect to master@.*ECONNREFUSED/);
    await clock.advance(6_000);
    const told = await happened.until(/warn: Authentication/);
    expect(told).toContain(`There is no connection to ${ip}:${port}`);
    expect(told).toContain("ECONNREFUSED");
    expect(told).not.toContain("advertises");
  });

  it("reports a refused credential and stops", async () => {
    authenticator("failed");
    register({ credential });
    lead(infoOf(master));
    await clock.advance(1_000);
    expect(await happened.until(/event: refused/)).toContain("credential");
    await clock.advance(600_000);
    expect(happened.all).not.toContain("register");
  });
});
