import { createConnection } from "node:net";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import { decodeResponse, encodeCall, type XmlRpcValue } from "./xml-rpc.ts";

export type ProcessState = "STOPPED" | "STARTING" | "RUNNING" | "BACKOFF" | "STOPPING" | "EXITED" | "FATAL" | "UNKNOWN";

export interface ProcessInfo {
  readonly group: string;
  readonly name: string;
  readonly state: ProcessState;
  /** Seconds since the epoch; 0 when it never started. */
  readonly start: number;
  readonly exitStatus: number;
  /** Why it could not be started. */
  readonly spawnError: string;
}

/** Answers are a few kilobytes; log excerpts are asked for by length. */
const LONGEST_ANSWER = 4 * 1024 * 1024;

/** supervisord's own API, over its Unix socket. One connection a call. */
export class Supervisor {
  readonly #socket: string;
  readonly #clock: Clock;
  readonly #deadline: number;

  /** `socket` is a path; `deadline` in milliseconds bounds each call. */
  constructor(socket: string, clock: Clock, deadline = 5000) {
    this.#socket = socket;
    this.#clock = clock;
    this.#deadline = deadline;
  }

  async processes(): Promise<ProcessInfo[]> {
    const answer = (await this.#call("supervisor.getAllProcessInfo")) as readonly Record<string, XmlRpcValue>[];
    return answer.map((each) => ({
      group: String(each["group"]),
      name: String(each["name"]),
      state: String(each["statename"]) as ProcessState,
      start: Number(each["start"]),
      exitStatus: Number(each["exitstatus"]),
      spawnError: String(each["spawnerr"] ?? ""),
    }));
  }

  /** Sends a signal (`USR1`) to a program. */
  async signal(name: string, signal: string): Promise<void> {
    await this.#call("supervisor.signalProcess", [name, signal]);
  }

  /** Asks supervisord to stop everything and end. */
  async shutdown(): Promise<void> {
    await this.#call("supervisor.shutdown");
  }

  /** The last `bytes` of what `group:name` wrote to one of its channels. */
  async tail(name: string, channel: "Stdout" | "Stderr", bytes: number): Promise<string> {
    return String(await this.#call(`supervisor.readProcess${channel}Log`, [name, -bytes, 0]));
  }

  async #call(method: string, parameters: readonly (string | number)[] = []): Promise<XmlRpcValue> {
    const body = encodeCall(method, parameters);
    const head = `POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
    return decodeResponse(await this.#exchange(head + body));
  }

  /** Sends a request and returns the answer's body. node:http would cost 14 MB for this. */
  #exchange(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#socket);
      const chunks: Buffer[] = [];
      let size = 0;
      const end = (error: Error | undefined, body = ""): void => {
        timer.cancel();
        socket.destroy();
        if (error === undefined) resolve(body);
        else reject(error);
      };
      const timer = this.#clock.after(this.#deadline, () =>
        end(new Error(`supervisord did not answer within ${this.#deadline / 1000} s at ${this.#socket}`)),
      );
      const finish = (closed: boolean): void => {
        const answer = bodyOf(Buffer.concat(chunks), closed);
        if (answer !== undefined) end(answer.error, answer.body);
      };
      socket.on("connect", () => socket.write(request));
      socket.on("data", (chunk) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > LONGEST_ANSWER) end(new Error("supervisord's answer is too long"));
        else finish(false);
      });
      socket.on("end", () => finish(true));
      socket.on("error", (error) => end(unreachableSocket(this.#socket, error)));
    });
  }
}

function unreachableSocket(path: string, error: Error): UserError {
  return new UserError(
    `supervisord cannot be reached at ${path}: ${error.message}`,
    "run this as root inside the container, while supervisord runs",
    { cause: error },
  );
}

/** The body of an HTTP answer once it is whole; undefined while more must come. */
function bodyOf(data: Buffer, closed: boolean): { error?: Error; body: string } | undefined {
  const end = data.indexOf("\r\n\r\n");
  if (end < 0) return closed ? { error: new Error("supervisord closed the connection"), body: "" } : undefined;
  const head = data.subarray(0, end).toString("latin1");
  const status = Number(/^HTTP\/\S+ (\d{3})/.exec(head)?.[1]);
  if (status !== 200) return { error: new Error(`supervisord answered with HTTP status ${status}`), body: "" };
  const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? Number.NaN);
  const body = data.subarray(end + 4);
  if (body.length >= length) return { body: body.subarray(0, length).toString() };
  if (!closed) return undefined;
  return Number.isNaN(length)
    ? { body: body.toString() }
    : { error: new Error("supervisord closed the connection early"), body: "" };
}
