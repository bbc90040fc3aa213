import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { ContainerTermination } from "../../model/container.ts";
import type { SessionProcess } from "../../model/session.ts";
import { OpenSession } from "./session.ts";

function opened(hasTerminal = false) {
  const { promise: termination, resolve } = Promise.withResolvers<ContainerTermination>();
  const [input, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const noop = (): void => undefined;
  const process: SessionProcess = {
    ...{ hasTerminal, input, stdout, stderr, termination },
    ...{ resize: noop, signal: noop, kill: noop },
  };
  const session = new OpenSession(process);
  const end = (status: number): void => {
    stdout.end();
    stderr.end();
    resolve({ status });
  };
  return { session, input, stdout, stderr, end };
}

/** Takes pieces one by one, each when it is let. */
function reader() {
  const seen: string[] = [];
  let next = Promise.withResolvers<void>();
  return {
    seen,
    data: (stream: string, piece: Buffer) => {
      seen.push(`${stream} ${piece}`);
      return next.promise;
    },
    end: () => void seen.push("end"),
    lost: () => void seen.push("lost"),
    allow: () => {
      next.resolve();
      next = Promise.withResolvers<void>();
    },
  };
}

const quick = () => {
  const seen: string[] = [];
  return {
    seen,
    data: (stream: string, piece: Buffer) => void seen.push(`${stream} ${piece}`) as undefined,
    end: () => void seen.push("end"),
    lost: () => void seen.push("lost"),
  };
};

describe("the output of a session", () => {
  it("reaches every reader, and ends after the last piece", async () => {
    const { session, stdout, stderr, end } = opened();
    const [one, other] = [quick(), quick()];
    session.attach(one);
    session.attach(other);
    stdout.write("a");
    stderr.write("b");
    end(7);
    expect(await session.ended).toEqual({ status: 7 });
    for (const { seen } of [one, other]) {
      expect(seen.toSorted()).toEqual(["end", "stderr b", "stdout a"]);
      expect(seen.at(-1)).toBe("end");
    }
  });

  it("waits for the first reader", async () => {
    const { session, stdout, end } = opened();
    stdout.write("early");
    const late = quick();
    await new Promise((resolve) => setImmediate(resolve));
    session.attach(late);
    end(0);
    await session.ended;
    expect(late.seen).toEqual(["stdout early", "end"]);
  });

  it("of a process that has ended waits for the first reader, too, unless nobody will come", async () => {
    const [read, unread] = [opened(), opened()];
    for (const { stdout, end } of [read, unread]) {
      stdout.write("all");
      end(3);
    }
    await new Promise((resolve) => setImmediate(resolve));
    const late = quick();
    read.session.attach(late);
    expect(await read.session.ended).toEqual({ status: 3 });
    expect(late.seen).toEqual(["stdout all", "end"]);
    unread.session.kill();
    expect(await unread.session.ended).toEqual({ status: 3 });
  });

  it("is not read on before the slowest reader has taken a piece: what is under way is bounded", async () => {
    const { session, stdout } = opened();
    const [slow, fast] = [reader(), quick()];
    session.attach(slow);
    session.attach(fast);
    const chunk = Buffer.alloc(16_384);
    let written = 0;
    while (stdout.write(chunk)) written++;
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      while (stdout.write(chunk)) written++;
    }
    expect(slow.seen).toHaveLength(1);
    expect(written).toBeLessThan(16);
    slow.allow();
    await new Promise((resolve) => setImmediate(resolve));
    expect(slow.seen.length).toBeGreaterThan(1);
    expect(fast.seen.length).toBe(slow.seen.length);
  });

  it("of one that is over is told as over", async () => {
    const { session, end } = opened();
    end(0);
    await session.ended;
    const late = quick();
    session.attach(late);
    expect(late.seen).toEqual(["end"]);
  });
});

describe("the input of a session", () => {
  it("is one client's at a time", () => {
    const { session } = opened();
    const release = session.takeInput();
    expect(session.takeInput()).toBeUndefined();
    release?.();
    expect(session.takeInput()).toBeDefined();
  });

  it("is written when there is room, and for nobody at once", async () => {
    const { session, input } = opened();
    let isDone = false;
    const writing = session.write(Buffer.alloc(1_000_000)).then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    input.resume();
    await writing;
    input.destroy();
    await session.write(Buffer.from("x"));
  });

  it("ends for pipes, never for a terminal", () => {
    const [pipes, terminal] = [opened(), opened(true)];
    pipes.session.endInput();
    terminal.session.endInput();
    expect([pipes.input.writableEnded, terminal.input.writableEnded]).toEqual([true, false]);
  });
});
