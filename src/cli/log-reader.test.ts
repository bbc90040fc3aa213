import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ScriptedPages, ScriptedShell } from "../../test/support/scripted-shell.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import { AgentFiles } from "../client/files.ts";
import { HttpPeer } from "../client/peer.ts";
import { LogReader } from "./log-reader.ts";
import { runCommand } from "./run.ts";

/** `stdout` of a sandbox, as it grows and is set aside. */
class Sandbox {
  files = [{ bytes: Buffer.alloc(0), modified: 0 }];
  #now = 0;

  append(text: string): void {
    const [current] = this.files;
    if (current !== undefined) current.bytes = Buffer.concat([current.bytes, Buffer.from(text)]);
  }

  rotate(keep = 5): void {
    const [current] = this.files;
    this.files.unshift({ bytes: Buffer.alloc(0), modified: 0 });
    if (current !== undefined) current.modified = ++this.#now;
    this.files.splice(keep + 1);
  }

  /** `stdout`, or `stdout.N`. */
  #at(path: string): Buffer | undefined {
    const index = /\/stdout(?:\.(\d+))?$/.exec(path)?.[1] ?? "0";
    return this.files[Number(index)]?.bytes;
  }

  served(): Pick<AgentFiles, "list" | "read"> {
    return {
      list: async () =>
        this.files.map(({ bytes, modified }, index) => ({
          ...{ name: index === 0 ? "stdout" : `stdout.${index}`, size: bytes.length, modified },
        })),
      read: async (path, offset, length = 65_536) =>
        this.#at(path)?.subarray(offset, offset + length) ?? Buffer.alloc(0),
    };
  }
}

const read = async (reader: LogReader): Promise<string> => {
  let text = "";
  for await (const part of reader.look()) text += part;
  return text;
};
const open = (sandbox: Sandbox): LogReader => new LogReader(sandbox.served() as AgentFiles, "/w", "stdout");

describe("a log that is set aside", () => {
  it("is read to its end before the new one is", async () => {
    const sandbox = new Sandbox();
    const reader = open(sandbox);
    sandbox.append("one ");
    expect(await read(reader)).toBe("one ");
    sandbox.append("two ");
    sandbox.rotate();
    sandbox.append("three ");
    // What was set aside is seen for the first time: it may still be copied.
    expect([await read(reader), reader.isBehind]).toEqual(["", true]);
    expect([await read(reader), reader.isBehind]).toEqual(["two three ", false]);
    sandbox.append("four");
    expect(await read(reader)).toBe("four");
  });

  it("was not asked for when it was there before", async () => {
    const sandbox = new Sandbox();
    sandbox.append("old");
    sandbox.rotate();
    sandbox.append("new");
    const reader = open(sandbox);
    await read(reader);
    expect(await read(reader)).toBe("");
    expect(await read(open(sandbox))).toBe("new");
  });

  it("is read anew when it was emptied", async () => {
    const sandbox = new Sandbox();
    sandbox.append("much of it");
    const reader = open(sandbox);
    await read(reader);
    sandbox.files = [{ bytes: Buffer.from("new"), modified: 0 }];
    expect([await read(reader), reader.isBehind]).toEqual(["", true]);
    expect(await read(reader)).toBe("new");
  });

  it("is not read twice when a list was begun before the copy and finished behind it", async () => {
    const sandbox = new Sandbox();
    const reader = open(sandbox);
    sandbox.append("one ");
    await read(reader);
    sandbox.rotate();
    sandbox.append("2");
    const { files } = sandbox;
    sandbox.files = files.slice(0, 1);
    expect(await read(reader)).toBe("");
    sandbox.files = files;
    expect([await read(reader), await read(reader)]).toEqual(["", "2"]);
  });

  it("loses nothing, whenever it is looked at", async () => {
    const steps = fc.array(fc.constantFrom("write", "write", "rotate", "look"), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (doings) => {
        const sandbox = new Sandbox();
        const reader = open(sandbox);
        let [written, seen] = ["", await read(reader)];
        for (const [index, doing] of doings.entries()) {
          // Lengths that differ: a copy is known again by its size and time.
          if (doing === "write") sandbox.append(`${index},`);
          if (doing === "write") written += `${index},`;
          if (doing === "rotate") sandbox.rotate(100);
          if (doing === "look") seen += await read(reader);
        }
        do seen += await read(reader);
        while (reader.isBehind);
        expect(seen).toBe(written);
      }),
      { numRuns: 300 },
    );
  });
});

it.each([
  ["a\nb\nc\n", 2, "b\nc\n"],
  ["a\nb\nc", 2, "b\nc"],
  ["a\nb\nc\n", 0, ""],
  ["a\nb\n", 9, "a\nb\n"],
  ["\n\n\n", 1, "\n"],
  ["", 3, ""],
])("the end of %j, %i lines, is %j", async (text, lines, tail) => {
  const sandbox = new Sandbox();
  sandbox.append(text);
  const reader = open(sandbox);
  await reader.toTail(lines);
  expect(await read(reader)).toBe(tail);
});

it("the end of what is long is found over its parts", async () => {
  const sandbox = new Sandbox();
  sandbox.append(`${"x".repeat(200_000)}\n${"y".repeat(100_000)}\n`);
  const reader = open(sandbox);
  await reader.toTail(1);
  expect(await read(reader)).toBe(`${"y".repeat(100_000)}\n`);
});

describe("logs -f", () => {
  it("ends when the task has ended and all of it is written", async () => {
    const clock = new TestClock();
    const sandbox = new Sandbox();
    sandbox.append("begin ");
    const task = { id: "t", state: "TASK_RUNNING" };
    const executor = { id: "t", directory: "/w", tasks: [task] };
    const files = sandbox.served();
    const agent = await ScriptedPages.start({
      "/state": { frameworks: [{ id: "f", executors: [executor] }] },
      "/files/browse": async (_request, response) => {
        const listed = (await files.list("/w")) ?? [];
        response.end(
          JSON.stringify(listed.map(({ name, size, modified }) => ({ path: `/w/${name}`, size, mtime: modified }))),
        );
      },
      "/files/read": async (request, response) => {
        const url = new URL(request.url ?? "", "http://a");
        const data = await files.read(url.searchParams.get("path") ?? "", Number(url.searchParams.get("offset")));
        response.end(JSON.stringify({ data: data.toString("latin1"), offset: 0 }));
      },
    });
    const shell = new ScriptedShell({ clock });
    const ended = runCommand(["logs", "-f", "t", `--agent=${agent.address}`], shell);
    const shows = async (text: string) => {
      await expect
        .poll(
          async () => {
            await clock.advance(1000);
            return shell.text;
          },
          { interval: 5 },
        )
        .toBe(text);
    };
    await shows("begin ");
    sandbox.append("end of the first ");
    sandbox.rotate();
    sandbox.append("second");
    await shows("begin end of the first second");
    sandbox.append(" last");
    task.state = "TASK_FINISHED";
    await shows("begin end of the first second last");
    let code: number | undefined;
    void ended.then((status) => {
      code = status;
    });
    await expect
      .poll(
        async () => {
          await clock.advance(1000);
          return code;
        },
        { interval: 5 },
      )
      .toBe(0);
    await agent.close();
  });

  it("waits for an agent that is restarted, and not for ever", async () => {
    const clock = new TestClock();
    const executor = { id: "t", directory: "/w", tasks: [{ id: "t", state: "TASK_RUNNING" }] };
    const state = { frameworks: [{ id: "f", executors: [executor] }] };
    const agent = await ScriptedPages.start({ "/state": state, "/files/browse": [] });
    const shell = new ScriptedShell({ clock });
    const ended = runCommand(["logs", "-f", "t", `--agent=${agent.address}`], shell);
    const refused = expect(ended).rejects.toThrow("is not ready yet (503)");
    const later = (milliseconds: number, what: () => boolean) =>
      expect
        .poll(
          async () => {
            await clock.advance(milliseconds);
            return what();
          },
          { interval: 5 },
        )
        .toBe(true);
    const browsed = () => agent.asked.filter((each) => each.includes("browse")).length;
    await later(0, () => browsed() > 0);
    agent.pages["/files/browse"] = (_request, response) => response.writeHead(503).end();
    await later(1000, () => shell.words.includes("does not answer; trying again"));
    agent.pages["/files/browse"] = [];
    const before = browsed();
    await later(1000, () => browsed() > before + 2);
    agent.pages["/files/browse"] = (_request, response) => response.writeHead(503).end();
    let isOver = false;
    void ended.catch(() => {
      isOver = true;
    });
    await later(10_000, () => isOver);
    await refused;
    expect(shell.words.match(/trying again/g)).toHaveLength(2);
    await agent.close();
  });

  it("ends with Ctrl-C, and is told when the sandbox is gone", async () => {
    const executor = { id: "t", directory: "/w", tasks: [{ id: "t", state: "TASK_RUNNING" }] };
    const agent = await ScriptedPages.start({
      "/state": { frameworks: [{ id: "f", executors: [executor] }] },
      "/files/browse": [],
    });
    const shell = new ScriptedShell();
    const ended = runCommand(["logs", "-f", "t", `--agent=${agent.address}`], shell);
    await expect.poll(() => agent.asked.length, { interval: 5 }).toBeGreaterThan(1);
    shell.signals.emit("SIGINT");
    expect(await ended).toBe(130);
    delete agent.pages["/files/browse"];
    const gone = runCommand(["logs", "t", `--agent=${agent.address}`], new ScriptedShell());
    await expect(gone).rejects.toThrow("the sandbox /w is not there");
    await agent.close();
  });
});

it("files are listed by their names", async () => {
  const agent = await ScriptedPages.start({ "/files/browse": [{ path: "/w/a/stdout", size: 3, mtime: 7 }] });
  const peer = new HttpPeer({ what: "agent", address: agent.address, credential: undefined });
  expect(await new AgentFiles(peer, "slave(1)").list("/w/a")).toEqual([{ name: "stdout", size: 3, modified: 7 }]);
  expect(await new AgentFiles(peer, "slave(1)").read("/w/a/none", 0)).toEqual(Buffer.alloc(0));
  await peer.close();
  await agent.close();
});
