import { spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { messageOf, UserError } from "../../../base/errors.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { SessionProcess, WindowSize } from "../../model/session.ts";
import { newestOnly } from "./newest.ts";
import { type SessionRequest, sessionFrame } from "./request.ts";
import { sessionArguments } from "./script.ts";
import { writeTo } from "./session.ts";

export interface SessionHost {
  /** Node's name of the architecture. */
  readonly architecture: string;
  /** To find perl by. */
  readonly path: string | undefined;
}

/** SIGKILL as wait(2) tells it. */
const KILLED = 9;
/** Longer lines than this are none of the script's. */
const LONGEST_LINE = 4096;

/** Starts a session's process under a supervisor of its own (script.ts). Rejects with a TaskFailure when it cannot be. */
export function startSession(title: string, request: SessionRequest, host: SessionHost): Promise<SessionProcess> {
  const words = sessionArguments(host.architecture, title);
  if (words === undefined)
    return Promise.reject(new UserError(`no session can be had on the architecture '${host.architecture}'`));
  const frame = sessionFrame(request);
  const child = spawn("perl", words, {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: { LC_ALL: "C", ...(host.path === undefined ? {} : { PATH: host.path }) },
  });
  const started = Promise.withResolvers<SessionProcess>();
  child.on("error", (error) => started.reject(TaskFailure.launch(`Failed to start the session: ${messageOf(error)}`)));
  // Where no descriptor is left for them, Node makes no streams, and tells why by that event.
  if (child.stdio === undefined) return started.promise;
  const control = child.stdio[3] as Duplex;
  const [stdin, stdout, stderr] = [child.stdin, child.stdout, child.stderr];
  for (const stream of [stdin, stdout, stderr, control]) stream.on("error", () => undefined);
  // When the process exits, Node throws away what of its output nobody has begun to read.
  for (const output of [stdout, stderr]) output.on("readable", () => undefined);
  control.write(frame);
  const ended = Promise.withResolvers<ContainerTermination>();
  let status: number | undefined;
  const session: SessionProcess = {
    hasTerminal: request.window !== undefined,
    input: stdin,
    stdout,
    stderr: request.window === undefined ? stderr : undefined,
    resize: newestOnly(({ rows, columns }: WindowSize) => writeTo(control, Buffer.from(`W ${rows} ${columns}\n`))),
    signal: (signal) => void control.write(`S ${signal}\n`),
    kill: () => {
      control.destroy();
      // What it has said and nobody has taken keeps nothing alive.
      stdout.destroy();
      stderr.destroy();
    },
    termination: ended.promise,
  };
  readLines(control, (line) => {
    const [verb, ...rest] = line.split(" ");
    if (verb === "P") started.resolve(session);
    else if (verb === "F")
      started.reject(TaskFailure.launch(`Failed to start the process: ${rest.slice(1).join(" ")}`));
    else if (verb === "X") status = Number(rest[0]);
  });
  // What it said last may still be on its way when it has ended.
  let left = 2;
  const over = (): void => {
    if (--left > 0) return;
    started.reject(TaskFailure.launch("Failed to start the session: its supervisor ended"));
    ended.resolve({ status: status ?? KILLED });
  };
  child.on("exit", over);
  control.on("close", over);
  return started.promise;
}

function readLines(stream: Readable, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) take(line);
  });
}
