import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { CommandInfoSchema, ContainerInfo_Type, ContainerInfoSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerChain } from "../../model/nested.ts";
import type { SessionProcess } from "../../model/session.ts";
import { Accounts } from "../../users/accounts.ts";
import type { SessionRequest } from "../sessions/request.ts";
import { MesosSessions } from "./sessions.ts";
import { ContainerTree } from "./tree.ts";

let folder: string;
let shim: Server;
/** What was said to the shim, by connection. */
let heard: string[];
let connections: Socket[];
let tree: ContainerTree;
/** Of the container that sessions are in. */
let pid: number | undefined;
let requests: SessionRequest[];
/** The folder of its terminal, by container. */
let terminals: Map<string, string>;
let sessions: MesosSessions;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sessions-"));
  heard = [];
  pid = 4711;
  connections = [];
  requests = [];
  terminals = new Map([["one", folder]]);
  shim = createServer((socket) => {
    const index = connections.push(socket) - 1;
    heard[index] = "";
    socket.setEncoding("latin1").on("data", (text) => {
      heard[index] = (heard[index] ?? "") + text;
    });
  });
  await new Promise<void>((resolve) => shim.listen(join(folder, "terminal"), resolve));
  tree = new ContainerTree();
  const root = tree.add({
    ...{ chain: ["one"], kind: "executor", place: { sandbox: folder }, user: undefined, groupsOf: "one" },
    kill: () => undefined,
  });
  root.move("running");
  const clock = new TestClock();
  sessions = new MesosSessions({
    ...{ clock, log: silentLogger, tree, accounts: new Accounts(clock), switchesUser: false },
    host: { architecture: "x64", path: undefined },
    confinement: () => ({ controlGroups: [], ownGroup: undefined }),
    processes: {
      environment: () => ({ OWN: "1" }),
      pid: () => pid,
      terminal: (id) => terminals.get(id),
    },
    start: async (_title, request) => {
      requests.push(request);
      return idle();
    },
  });
});
afterEach(() => {
  for (const socket of connections) socket.destroy();
  shim.close();
  rmSync(folder, { recursive: true });
});

function idle(): SessionProcess {
  const noop = (): void => undefined;
  return {
    ...{ hasTerminal: false, input: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() },
    ...{ resize: noop, signal: noop, kill: noop, termination: new Promise<never>(noop) },
  };
}
/** Resolves when the condition holds: what comes over a socket needs a turn of the loop or two. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
}

describe("a session", () => {
  type ContainerInit = Extract<MessageInitShape<typeof ContainerInfoSchema>, { $typeName?: never }>;
  const environmentOf = async (id: string, container: ContainerInit | undefined, own: object = {}) => {
    await sessions.open({
      chain: ["one", id],
      command: create(CommandInfoSchema, { value: "x", ...own }),
      container: container && create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, ...container }),
    });
    return requests.at(-1)?.environment;
  };

  it("is in a container that has a process, or needs none", async () => {
    const open = async (chain: ContainerChain) =>
      await sessions.open({ chain, command: create(CommandInfoSchema, { value: "x" }), container: undefined });
    await open(["one", "a"]);
    expect(requests.at(-1)?.namespacesOf).toBe(4711);
    // It is being started, or ends in this moment.
    pid = undefined;
    await expect(open(["one", "b"])).rejects.toThrow("Parent container one has no process yet, or no more");
    expect(tree.get(["one", "b"])).toBeUndefined();
    tree
      .add({
        ...{ chain: ["group"], kind: "executor", place: { sandbox: folder }, user: undefined, groupsOf: "group" },
        ...{ isProcessless: true, kill: () => undefined },
      })
      .move("running");
    await open(["group", "a"]);
    expect(requests.map(({ namespacesOf }) => namespacesOf)).toEqual([4711, undefined]);
  });

  it("has the parent's environment, and knows of its terminal", async () => {
    expect(await environmentOf("a", undefined)).toEqual({ OWN: "1" });
    expect(await environmentOf("b", { ttyInfo: {} })).toEqual({ OWN: "1", TERM: "xterm" });
    const environment = { variables: [{ name: "TERM", value: "dumb" }] };
    expect(await environmentOf("c", { ttyInfo: {} }, { environment })).toEqual({ OWN: "1", TERM: "dumb" });
  });
});

describe("the terminal of a container", () => {
  it("is heard by each reader on a connection of its own", async () => {
    const attachments = [await sessions.attachOutput(["one"]), await sessions.attachOutput(["one"])];
    const seen = attachments.map((attachment) => {
      const pieces: string[] = [];
      attachment?.attach({
        data: (stream, piece) => void pieces.push(`${stream} ${piece}`) as undefined,
        end: () => void pieces.push("end"),
        lost: () => void pieces.push("lost"),
      });
      return pieces;
    });
    await until(() => heard.join("") === "OO");
    for (const socket of connections) socket.end("said");
    await until(() => seen.every((pieces) => pieces.includes("end")));
    expect(seen).toEqual([
      ["stdout said", "end"],
      ["stdout said", "end"],
    ]);
  });

  it("is typed on and resized by one at a time", async () => {
    const [first, second] = [await sessions.attachInput(["one"]), await sessions.attachInput(["one"])];
    expect(first?.hasTerminal).toBe(true);
    const release = first?.takeInput();
    expect(second?.takeInput()).toBeUndefined();
    await first?.write(Buffer.from("ls\n"));
    first?.resize({ rows: 2, columns: 3 });
    first?.endInput();
    const typed = "I\0\0\0\x04Dls\n\0\0\0\x05W\0\x02\0\x03";
    await until(() => heard.includes(typed));
    expect(heard.toSorted()).toEqual(["I", typed]);
    release?.();
    expect(second?.takeInput()).toBeDefined();
    first?.leave();
    second?.leave();
  });

  it("is not there for a container without one, and told when nobody holds it any more", async () => {
    terminals.clear();
    expect(await sessions.attachOutput(["one"])).toBeUndefined();
    expect(await sessions.attachInput(["one"])).toBeUndefined();
    terminals.set("one", join(folder, "gone"));
    await expect(sessions.attachOutput(["one"])).rejects.toThrow("The terminal of container one cannot be reached");
  });
});
