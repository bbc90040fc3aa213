import type { IncomingMessage, ServerResponse } from "node:http";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ScriptedPages, ScriptedShell } from "../../test/support/scripted-shell.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import { decode, encode } from "../mesos/codec.ts";
import { chainOf } from "../mesos/container-chain.ts";
import {
  type Call,
  Call_Type,
  CallSchema,
  ProcessIO_Control_Type,
  ProcessIO_Data_Type,
  ProcessIO_Type,
  ProcessIOSchema,
} from "../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { encodeRecord, RecordDecoder } from "../mesos/recordio.ts";
import { DetachKeys } from "./detach-keys.ts";
import { exitCodeOf } from "./exit-code.ts";
import { runCommand } from "./run.ts";

type Io = MessageInitShape<typeof ProcessIOSchema>;
const record = (io: Io): Buffer => encodeRecord(encode(ProcessIOSchema, create(ProcessIOSchema, io)));
const out = (text: string, type: ProcessIO_Data_Type = ProcessIO_Data_Type.STDOUT): Buffer =>
  record({ type: ProcessIO_Type.DATA, data: { type, data: Buffer.from(text) } });

/** An agent with one task, whose sessions a test plays. */
class SessionAgent {
  readonly pages: ScriptedPages;
  /** The calls that asked for a stream of output. */
  readonly opened: Call[] = [];
  /** What was said to the process: text, `end`, `ROWSxCOLUMNS`, `beat`. */
  readonly said: string[] = [];
  output: ServerResponse | undefined;
  /** What the agent says to who attaches input, instead of waiting for it to end. */
  refusesInput: number | undefined;
  exitStatus = 0;
  /** Inputs that ended as a whole request does. */
  inputsEnded = 0;
  hasEnded = false;

  constructor(pages: ScriptedPages) {
    this.pages = pages;
    const container_status = { container_id: { value: "c" } };
    const task = {
      ...{ id: "web.1", state: "TASK_RUNNING", container: { tty_info: {} } },
      statuses: [{ state: "TASK_RUNNING", container_status }],
    };
    pages.pages["/state"] = { frameworks: [{ id: "f", executors: [{ id: "web.1", directory: "/w", tasks: [task] }] }] };
    pages.pages["/api/v1"] = (request, response, body) => void this.#call(request, response, body);
  }

  async #call(request: IncomingMessage, response: ServerResponse, body: () => Promise<Buffer>): Promise<void> {
    if (request.headers["content-type"] === "application/recordio") return await this.#input(request, response);
    const bytes = await body();
    if (request.headers["content-type"] === "application/json") {
      const { wait_container } = JSON.parse(bytes.toString());
      expect(wait_container.container_id.parent ?? wait_container.container_id).toEqual({ value: "c" });
      response.end(JSON.stringify({ type: "WAIT_CONTAINER", wait_container: { exit_status: this.exitStatus } }));
      return;
    }
    expect(request.headers).toMatchObject({
      accept: "application/recordio",
      "message-accept": "application/x-protobuf",
    });
    this.opened.push(decode(CallSchema, bytes));
    this.output = response;
    response.on("close", () => {
      this.hasEnded = true;
    });
    response.writeHead(200).flushHeaders();
  }

  async #input(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.refusesInput !== undefined) return void response.writeHead(this.refusesInput).end("not you");
    const decoder = new RecordDecoder();
    try {
      for await (const chunk of request as AsyncIterable<Buffer>)
        for (const one of decoder.push(chunk)) this.#heard(decode(CallSchema, one));
    } catch {
      return;
    }
    this.inputsEnded++;
    response.end();
  }

  #heard({ attachContainerInput }: Call): void {
    const { processIo: io, containerId } = attachContainerInput ?? {};
    if (containerId !== undefined) this.said.push(`to ${chainOf(containerId).length}`);
    if (io?.type === ProcessIO_Type.DATA) this.said.push(Buffer.from(io.data?.data ?? []).toString() || "end");
    const size = io?.control?.ttyInfo?.windowSize;
    if (size !== undefined) this.said.push(`${size.rows}x${size.columns}`);
    if (io?.control?.type === ProcessIO_Control_Type.HEARTBEAT) this.said.push("beat");
  }
}

let agent: SessionAgent;
beforeEach(async () => {
  agent = new SessionAgent(await ScriptedPages.start());
});
afterEach(() => agent.pages.close());

/** Begins a command, until the agent was asked for its output. */
const start = async (shell: ScriptedShell, ...words: string[]) => {
  const [name = "", ...others] = words;
  const ended = runCommand([name, `--agent=${agent.pages.address}`, ...others], shell);
  ended.catch(() => undefined);
  await expect.poll(() => agent.output !== undefined, { interval: 5 }).toBe(true);
  // In an object: an async function would wait for its end.
  return { ended };
};
const said = (what: string) => expect.poll(() => agent.said, { interval: 5 }).toContain(what);

describe("exec", () => {
  it("runs the words, parts both outputs, and ends as the command", async () => {
    const shell = new ScriptedShell({ environment: { TERM: "xterm" } });
    agent.exitStatus = 7 << 8;
    const { ended } = await start(shell, "exec", "web.1", "--", "ls", "-l");
    const launch = agent.opened[0]?.launchNestedContainerSession;
    expect(agent.opened[0]?.type).toBe(Call_Type.LAUNCH_NESTED_CONTAINER_SESSION);
    expect(launch?.containerId && chainOf(launch.containerId)).toEqual(["c", expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    expect(launch?.command).toMatchObject({ shell: false, value: "ls", arguments: ["ls", "-l"] });
    expect(launch?.container).toBeUndefined();
    expect(launch?.command?.environment).toBeUndefined();
    // Nobody is to wait for an input that will never come.
    await said("end");
    agent.output?.write(Buffer.concat([out("one "), out("trouble", ProcessIO_Data_Type.STDERR)]));
    agent.output?.end(out("two"));
    expect(await ended).toBe(7);
    expect([shell.text, shell.words, shell.raw]).toEqual(["one two", "trouble", []]);
  });

  it("passes on what is piped, up to its end", async () => {
    const shell = new ScriptedShell();
    const { ended } = await start(shell, "exec", "-i", "web.1", "--", "cat");
    shell.input.write("some");
    await said("some");
    shell.input.end("thing");
    await said("end");
    expect(agent.said).toEqual(["to 2", "some", "thing", "end"]);
    agent.output?.end();
    expect(await ended).toBe(0);
  });

  it("makes this terminal the command's, and gives it back", async () => {
    const shell = new ScriptedShell({ isTerminal: true, environment: { TERM: "xterm" } });
    const { ended } = await start(shell, "exec", "-it", "web.1", "--", "sh");
    const launch = agent.opened[0]?.launchNestedContainerSession;
    expect(launch?.container?.ttyInfo?.windowSize).toMatchObject({ rows: 40, columns: 123 });
    expect(launch?.command?.environment?.variables).toMatchObject([{ name: "TERM", value: "xterm" }]);
    await said("40x123");
    expect(shell.raw).toEqual([true]);
    shell.resize(50, 90);
    await said("50x90");
    // Ctrl-C, and Ctrl-P Ctrl-Q, which mean nothing here.
    shell.input.write("\x03\x10\x11");
    await said("\x03\x10\x11");
    agent.output?.end();
    expect(await ended).toBe(0);
    expect(shell.raw).toEqual([true, false]);
    expect(shell.output.listenerCount("resize")).toBe(0);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("%s ends the session, and the terminal is as it was", async (signal, code) => {
    const shell = new ScriptedShell({ isTerminal: true });
    const { ended } = await start(shell, "exec", "-it", "web.1", "--", "sh");
    await said("40x123");
    shell.signals.emit(signal);
    expect(await ended).toBe(code);
    expect(shell.raw).toEqual([true, false]);
    await expect.poll(() => agent.hasEnded).toBe(true);
  });

  it("tells that the connection is lost, and the terminal is as it was", async () => {
    const shell = new ScriptedShell({ isTerminal: true });
    const { ended } = await start(shell, "exec", "-it", "web.1", "--", "sh");
    await said("40x123");
    agent.output?.write(out("x"));
    await expect.poll(() => shell.text).toBe("x");
    const refused = expect(ended).rejects.toThrow("was lost");
    agent.pages.cut();
    await refused;
    expect(shell.raw).toEqual([true, false]);
  });

  it("takes an agent for lost that gives no sign of life any more", async () => {
    const clock = new TestClock();
    const shell = new ScriptedShell({ clock });
    const { ended } = await start(shell, "exec", "web.1", "--", "sleep");
    const interval = { nanoseconds: 1_000_000_000n };
    const control = { type: ProcessIO_Control_Type.HEARTBEAT, heartbeat: { interval } };
    agent.output?.write(Buffer.concat([record({ type: ProcessIO_Type.CONTROL, control }), out("x")]));
    await expect.poll(() => shell.text).toBe("x");
    await said("end");
    const refused = expect(ended).rejects.toThrow("silent for too long");
    await clock.advance(3_000);
    await refused;
  });

  it("gives signs of life itself", async () => {
    const clock = new TestClock();
    const { ended } = await start(new ScriptedShell({ clock }), "exec", "-i", "web.1", "--", "cat");
    await said("to 2");
    await clock.advance(30_000);
    await said("beat");
    agent.output?.end();
    await ended;
  });

  it("does not read what cannot be written", async () => {
    const shell = new ScriptedShell();
    shell.output.removeAllListeners("data");
    shell.output.pause();
    const { ended } = await start(shell, "exec", "web.1", "--", "yes");
    const [piece, pieces] = [64 * 1024, 100];
    const all = out("y".repeat(piece));
    void (async () => {
      for (let sent = 0; sent < pieces; sent++)
        if (!agent.output?.write(all)) await new Promise((drained) => agent.output?.once("drain", drained));
      agent.output?.end();
    })();
    // Read slowly: without holding the agent up, everything would soon lie here.
    let [read, most] = [0, 0];
    while (read < pieces * piece) {
      most = Math.max(most, shell.output.readableLength);
      read += (shell.output.read(Math.min(16 * 1024, shell.output.readableLength)) as Buffer | null)?.length ?? 0;
      await new Promise((turn) => setImmediate(turn));
    }
    expect(await ended).toBe(0);
    expect(most).toBeLessThanOrEqual(2 * piece);
  });

  it("is refused in the agent's own words", async () => {
    agent.pages.pages["/api/v1"] = (_request, response) =>
      response.writeHead(403).end("off: start it with --task_exec=enabled");
    const refused = runCommand(["exec", `--agent=${agent.pages.address}`, "web.1", "ls"], new ScriptedShell());
    await expect(refused).rejects.toThrow("(403): off: start it with --task_exec=enabled");
  });

  it("says when its input is not taken", async () => {
    agent.refusesInput = 409;
    const shell = new ScriptedShell();
    const { ended } = await start(shell, "exec", "-i", "web.1", "--", "cat");
    await expect(ended).rejects.toThrow("answered the input with 409: not you");
  });

  it("wants a terminal where it is to pass one on", async () => {
    const refused = runCommand(["exec", `--agent=${agent.pages.address}`, "-it", "web.1", "sh"], new ScriptedShell());
    await expect(refused).rejects.toThrow("is no terminal");
  });
});

describe("attach", () => {
  it("shows the output of the task's own container, and lets go of it by docker's keys", async () => {
    const shell = new ScriptedShell({ isTerminal: true });
    const { ended } = await start(shell, "attach", "-i", "web.1");
    const asked = agent.opened[0]?.attachContainerOutput?.containerId;
    expect(asked && chainOf(asked)).toEqual(["c"]);
    await said("40x123");
    agent.output?.write(out("hello"));
    await expect.poll(() => shell.text).toBe("hello");
    shell.input.write("ab\x10");
    await said("ab");
    shell.input.write("\x11");
    expect(await ended).toBe(0);
    expect(shell.words).toContain("Detached from task 'web.1'");
    expect(agent.said).not.toContain("\x10");
    // Broken off, it would be taken for connected for ever by a C++ agent.
    expect(agent.inputsEnded).toBe(1);
    expect(shell.raw).toEqual([true, false]);
  });

  it("says nothing to the task without -i, and what else could be done where it cannot be", async () => {
    const shell = new ScriptedShell();
    const { ended } = await start(shell, "attach", "web.1");
    agent.exitStatus = 3 << 8;
    agent.output?.end(out("all"));
    expect([await ended, shell.text, agent.said]).toEqual([3, "all", []]);
    agent.pages.pages["/api/v1"] = (_request, response) => response.writeHead(500).end("no session");
    const refused = runCommand(["attach", `--agent=${agent.pages.address}`, "web.1"], new ScriptedShell());
    await expect(refused).rejects.toMatchObject({ text: expect.stringContaining("mesos-slave logs -f web.1") });
  });
});

it("the keys to let go are found over any cut, and nothing else is lost", () => {
  const passed = (...chunks: string[]) => {
    const keys = new DetachKeys();
    let text = "";
    for (const chunk of chunks) {
      const { data, isDetached } = keys.push(Buffer.from(chunk));
      text += Buffer.from(data);
      if (isDetached) return `${text}!`;
    }
    return text;
  };
  expect(passed("a\x10\x11b")).toBe("a!");
  expect(passed("a\x10", "\x11b")).toBe("a!");
  expect(passed("\x10", "x", "\x11")).toBe("\x10x\x11");
  expect(passed("\x10\x10\x11")).toBe("\x10!");
});

it.each([
  [0, 0],
  [7 << 8, 7],
  [255 << 8, 255],
  [9, 137],
  [11 | 0x80, 139],
])("the wait status %i is the exit code %i", (status, code) => {
  expect(exitCodeOf(status)).toBe(code);
});
