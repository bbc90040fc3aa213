import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeEngine, framed } from "../../../../../test/support/fake-engine.ts";
import { FakeProcesses } from "../../../../../test/support/process-table.ts";
import { settle, TestClock } from "../../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../../base/log.ts";
import { EngineError } from "../../../../docker/errors.ts";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
} from "../../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { TaskFailure, Unavailable } from "../../../model/failure.ts";
import type { Session } from "../../../model/session.ts";
import { DockerContainerizer } from "../containerizer.ts";
import { label } from "../identity.ts";
import { StateFiles } from "../state-files.ts";
import { MARK } from "./marked-processes.ts";

type CommandInit = Extract<MessageInitShape<typeof CommandInfoSchema>, { $typeName?: never }>;

let folder: string;
let daemon: FakeEngine;
let clock: TestClock;
let table: FakeProcesses;
let containerizer: DockerContainerizer;

/** An agent that finds the container of task `one` running at the daemon. */
async function start(switchesUser = false): Promise<DockerContainerizer> {
  const opened = await DockerContainerizer.open({
    ...{ engine: daemon.engine, workDir: folder, stateDirectory: join(folder, "docker"), agent: { id: "S0" } },
    ...{ clock, log: silentLogger, switchesUser, processTable: table },
  });
  await opened.recover([
    {
      ...{ containerId: "one", sandbox: folder, user: undefined, resources: [], limits: {}, checkpoint: true },
      ...{ framework: create(FrameworkInfoSchema), executor: create(ExecutorInfoSchema), task: undefined },
      command: create(CommandInfoSchema),
      container: create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER, docker: { image: "i" } }),
      pid: undefined,
    },
  ]);
  return opened;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-sessions-"));
  daemon = new FakeEngine();
  clock = new TestClock();
  table = new FakeProcesses();
  const key = await new StateFiles(join(folder, "docker")).agentKey();
  daemon.add("d1", { [label.agentKey]: key, [label.containerId]: "one" });
  containerizer = await start();
});
afterEach(async () => {
  const closing = containerizer.close();
  await clock.advance(10_000);
  await closing;
  rmSync(folder, { recursive: true, force: true });
});

const order = (id: string, command: CommandInit, tty?: readonly [number, number]) => ({
  chain: ["one", id] as [string, string],
  command: create(CommandInfoSchema, command),
  container:
    tty &&
    create(ContainerInfoSchema, {
      type: ContainerInfo_Type.MESOS,
      ttyInfo: { windowSize: { rows: tty[0], columns: tty[1] } },
    }),
});
async function open(id: string, command: CommandInit = { value: "true" }, tty?: readonly [number, number]) {
  const session = await containerizer.sessions.open(order(id, command, tty));
  if (session === "already") throw new Error("it is there already");
  return session;
}
const exec = (number: number) => {
  const found = daemon.execs.get(`exec-${number}`);
  if (found === undefined) throw new Error(`no exec ${number}`);
  return found;
};
/** What it says, as a reader hears it. */
function read(session: Pick<Session, "attach">): string[] {
  const seen: string[] = [];
  session.attach({
    data: (stream, piece) => void seen.push(`${stream} ${piece}`) as undefined,
    end: () => void seen.push("end"),
    lost: () => void seen.push("lost"),
  });
  return seen;
}
/** What a promise comes to while time goes on. Files are written meanwhile, which the clock does not know of. */
async function told<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  let result: T | undefined;
  void promise?.then((value) => {
    result = value;
  });
  const deadline = performance.now() + 20_000;
  while (result === undefined && performance.now() < deadline) await clock.advance(100);
  return result;
}
/** Resolves when the daemon was asked for so many. */
async function execs(count: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (daemon.execs.size < count && performance.now() < deadline) await settle();
}

describe("a session in a Docker container", () => {
  it("is an exec as the container's own user, whose ends are those of the process", async () => {
    const environment = { variables: [{ name: "EXTRA", value: "1" }] };
    const session = await open("s", { value: "id", environment, user: "root" });
    const { container, request, wire } = exec(0);
    expect(container).toBe("d1");
    expect(request).toMatchObject({ argv: ["sh", "-c", "id"], user: undefined, terminal: undefined });
    expect(request.environment).toEqual({ EXTRA: "1", [MARK]: expect.stringMatching(/^one\.[0-9a-f-]{36}$/) });
    const seen = read(session);
    await session.write(Buffer.from("typed"));
    session.endInput();
    wire.write(framed("stdout", "out"));
    wire.write(framed("stderr", "err"));
    let typed = "";
    wire.on("data", (piece: Buffer) => {
      typed += piece;
    });
    await settle();
    daemon.endExec("exec-0", 7);
    expect(await told(session.ended)).toEqual({ status: 7 << 8 });
    expect(seen.toSorted()).toEqual(["end", "stderr err", "stdout out"]);
    expect(typed).toBe("typed");
    expect(await told(containerizer.kept.wait(["one", "s"]))).toEqual({ status: 7 << 8 });
  });

  it("runs as the user that its command names only where users are switched", async () => {
    await containerizer.close();
    containerizer = await start(true);
    await open("s", { value: "id", user: "nobody" });
    expect(exec(0).request.user).toBe("nobody");
  });

  it("takes a program with its arguments, without its name", async () => {
    await open("s", { shell: false, value: "/bin/ls", arguments: ["ls", "-l"] });
    expect(exec(0).request.argv).toEqual(["/bin/ls", "-l"]);
  });

  it("has a terminal of the size that is wished, and later of others", async () => {
    const session = await open("s", { value: "sh" }, [40, 123]);
    expect(session.hasTerminal).toBe(true);
    expect(exec(0).request.terminal).toEqual({ rows: 40, columns: 123 });
    session.resize({ rows: 50, columns: 90 });
    session.resize({ rows: 51, columns: 91 });
    await settle();
    expect(daemon.asked).toEqual(["resize exec-0 40 123", "resize exec-0 50 90", "resize exec-0 51 91"]);
    const seen = read(session);
    exec(0).wire.write("raw");
    await settle();
    expect(seen).toEqual(["stdout raw"]);
  });

  it("that Docker cannot start is refused with Docker's words", async () => {
    daemon.execState = { running: false, exitCode: 126, pid: undefined };
    const opening = containerizer.sessions.open(order("s", { value: "x" }));
    opening.catch(() => undefined);
    await execs(1);
    exec(0).wire.end(framed("stdout", "OCI runtime exec failed: executable file not found\r\n"));
    await expect(opening).rejects.toThrow("Failed to start the process: OCI runtime exec failed: executable file");
    expect(containerizer.kept.wait(["one", "s"])).toBeUndefined();
  });

  it("is told when Docker refuses it, or is away, and leaves nothing", async () => {
    daemon.refusal = new EngineError("refused", "Container d1 is paused", { status: 409 });
    await expect(open("s")).rejects.toThrow(TaskFailure);
    await expect(containerizer.sessions.attachOutput(["one"])).rejects.toThrow("is paused");
    daemon.refusal = new EngineError("unreachable", "cannot reach the Docker daemon");
    await expect(open("s")).rejects.toThrow(Unavailable);
    await expect(containerizer.sessions.attachOutput(["one"])).rejects.toThrow(Unavailable);
    expect(containerizer.kept.list()).toEqual([]);
    daemon.refusal = undefined;
    daemon.execState = { running: true, exitCode: undefined, pid: undefined };
    const opening = open("s");
    opening.catch(() => undefined);
    await execs(1);
    daemon.execs.delete("exec-0");
    daemon.refusal = new EngineError("timeout", "the Docker daemon did not answer");
    await clock.advance(500);
    await expect(opening).rejects.toThrow("did not answer");
    expect(daemon.connections[0]?.destroyed).toBe(true);
  });

  it.each([
    ["being started", true],
    ["handed over before it begins", false],
  ])("that is %s is waited for", async (_what, running) => {
    daemon.execState = { running, exitCode: undefined, pid: undefined };
    let isOpen = false;
    void open("s").then(() => {
      isOpen = true;
    });
    await execs(1);
    await clock.advance(4_000);
    expect(isOpen).toBe(false);
    exec(0).state = { running: true, exitCode: undefined, pid: 5 };
    await clock.advance(500);
    expect(isOpen).toBe(true);
  });

  it("is one by its id, needs a container that runs, and is in that alone", async () => {
    await open("s");
    expect(await containerizer.sessions.open(order("s", { value: "true" }))).toBe("already");
    await expect(containerizer.sessions.open({ ...order("s", {}), chain: ["two", "s"] })).rejects.toThrow(
      "not running",
    );
    await expect(containerizer.sessions.open({ ...order("s", {}), chain: ["one", "s", "t"] })).rejects.toThrow(
      "Parent container one.s",
    );
  });

  it("is shown, ended and forgotten by its id", async () => {
    const session = await open("s");
    const { kept } = containerizer;
    expect(kept.list()).toEqual([{ chain: ["one", "s"], isStandalone: false }]);
    await expect(kept.remove(["one", "s"])).rejects.toThrow("has not terminated yet");
    expect(await kept.kill(["one", "unknown"], 9)).toBe(false);
    expect(await kept.kill(["one", "s"], 9)).toBe(true);
    daemon.endExec("exec-0", 137);
    read(session);
    expect(await told(kept.wait(["one", "s"]))).toEqual({ status: 9 });
    expect(kept.list()).toEqual([]);
    expect(await kept.kill(["one", "s"], 9)).toBe(false);
    await kept.remove(["one", "s"]);
    expect(kept.wait(["one", "s"])).toBeUndefined();
  });

  it("remembers the newest 256 that have ended", async () => {
    const numbers = Array.from({ length: 260 }, (_, number) => number);
    for (const session of await Promise.all(numbers.map((number) => open(`s${number}`)))) read(session);
    for (const number of numbers) daemon.endExec(`exec-${number}`, 0);
    await told(Promise.all(numbers.map((number) => containerizer.kept.wait(["one", `s${number}`]))));
    await open("last");
    const known = (id: string): boolean => containerizer.kept.wait(["one", id]) !== undefined;
    expect([known("s3"), known("s4"), known("s259"), known("last")]).toEqual([false, true, true, true]);
  });

  it("that is ended in the moment of its start ends, too: its process has no mark yet", async () => {
    table.onSignal = (pid) => void queueMicrotask(() => table.end(pid));
    for (const pid of [4242, 77]) {
      table.add(pid, 1);
      table.groups.set(pid, "0::/docker/d1\n");
    }
    const session = await open("s");
    // One that is started meanwhile, and has its mark only after the first look.
    session.kill();
    await clock.advance(100);
    expect(table.sent).toEqual(["SIGKILL 77"]);
    table.add(78, 1);
    table.groups.set(78, "0::/docker/d1\n");
    table.environments.set(78, { [MARK]: exec(0).request.environment[MARK] ?? "" });
    await clock.advance(1_000);
    expect(table.sent).toEqual(["SIGKILL 77", "SIGKILL 78"]);
  });

  it("is ended with its processes when its client goes, and when an agent finds what another left", async () => {
    const session = await open("s", { value: "sleep 9" });
    table.onSignal = (pid) => void queueMicrotask(() => table.end(pid));
    const process = (pid: number, mark: string | undefined): void => {
      table.add(pid, 1);
      table.groups.set(pid, "0::/docker/d1\n");
      table.environments.set(pid, mark === undefined ? {} : { [MARK]: mark });
    };
    process(4242, undefined);
    process(50, exec(0).request.environment[MARK]);
    process(51, "one.of-another-session");
    session.kill();
    await clock.advance(100);
    expect(table.sent).toEqual(["SIGKILL 50"]);
    daemon.endExec("exec-0", 137);
    expect(await told(session.ended)).toEqual({ status: 9 });

    await containerizer.close();
    process(52, "two.in-this-container");
    const next = start();
    // Files are read first: were the time to go on meanwhile, the recovery would go on without it.
    const deadline = performance.now() + 20_000;
    while (table.sent.length < 2 && performance.now() < deadline) await settle();
    containerizer = (await told(next)) as DockerContainerizer;
    expect(table.sent).toEqual(["SIGKILL 50", "SIGKILL 51"]);
  });
});

it("users of sessions that are opened at once are all kept", async () => {
  await containerizer.close();
  containerizer = await start(true);
  const users = ["", "one", "two"];
  await told(Promise.all(users.map((user) => open(`s${user}`, { value: "true", ...(user && { user }) }))));
  const kept = await new StateFiles(join(folder, "docker")).sessionUsers("one");
  expect(new Set(kept)).toEqual(new Set([undefined, "one", "two"]));
});

describe("a container's own process", () => {
  it("is heard by each reader on a connection of its own", async () => {
    const { sessions } = containerizer;
    const [first, second] = [await sessions.attachOutput(["one"]), await sessions.attachOutput(["one"])];
    if (first === undefined || second === undefined) throw new Error("it runs");
    const [one, other] = [read(first), read(second)];
    for (const { wire } of daemon.attached) wire.write(framed("stdout", "said"));
    await settle();
    daemon.attached[0]?.wire.end();
    second.leave();
    await settle();
    expect([one, other]).toEqual([
      ["stdout said", "end"],
      ["stdout said", "lost"],
    ]);
    expect(await sessions.attachOutput(["two"])).toBeUndefined();
    expect(await sessions.attachOutput(["one", "s"])).toBeUndefined();
  });

  it("is held up by a reader who takes nothing for ten seconds, and no longer", async () => {
    const attachment = await containerizer.sessions.attachOutput(["one"]);
    const seen: string[] = [];
    attachment?.attach({
      data: (_stream, piece) => {
        seen.push(`${piece}`);
        return new Promise(() => undefined);
      },
      end: () => void seen.push("end"),
      lost: () => void seen.push("lost"),
    });
    daemon.attached[0]?.wire.write(framed("stdout", "one"));
    await clock.advance(9_900);
    daemon.attached[0]?.wire.write(framed("stdout", "two"));
    expect(seen).toEqual(["one"]);
    await clock.advance(200);
    expect(seen).toEqual(["one", "lost"]);
    expect(daemon.attached[0]?.connection.destroyed).toBe(true);
  });

  it("is written to where it reads, by one at a time; its terminal is resized", async () => {
    await expect(containerizer.sessions.attachInput(["one"])).rejects.toThrow("reads no input");
    await containerizer.close();
    const details = daemon.containers.get("d1");
    if (details !== undefined) daemon.containers.set("d1", { ...details, tty: true, readsInput: true });
    containerizer = await start();
    const [first, second] = await Promise.all([1, 2].map(() => containerizer.sessions.attachInput(["one"])));
    const release = first?.takeInput();
    expect(second?.takeInput()).toBeUndefined();
    await first?.write(Buffer.from("ls\n"));
    first?.endInput();
    first?.resize({ rows: 5, columns: 6 });
    const wire = daemon.attached.at(-2)?.wire;
    expect(`${wire?.read()}`).toBe("ls\n");
    await settle();
    expect(wire?.readableEnded).toBe(false);
    expect(daemon.asked).toContain("resize d1 5 6");
    release?.();
    expect(second?.takeInput()).toBeDefined();
    daemon.end("d1", 3);
    expect(await told(first?.ended)).toMatchObject({ status: 3 << 8 });
  });
});
