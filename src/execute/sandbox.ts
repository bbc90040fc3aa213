import { Agent, request } from "undici";
import * as z from "zod";
import { basicHeader, type Credential } from "./scheduler-client.ts";

/** What we need of an agent's /state. */
const executor = z.looseObject({
  id: z.string(),
  directory: z.string(),
  tasks: z.array(z.looseObject({ id: z.string() })).default([]),
  queued_tasks: z.array(z.looseObject({ id: z.string() })).default([]),
  completed_tasks: z.array(z.looseObject({ id: z.string() })).default([]),
});
const framework = z.looseObject({
  id: z.string(),
  executors: z.array(executor).default([]),
  completed_executors: z.array(executor).default([]),
});
const agentState = z.looseObject({
  frameworks: z.array(framework).default([]),
  completed_frameworks: z.array(framework).default([]),
});

/** The sandbox of a task in an agent's /state; undefined when it is not (yet) there. */
export function sandboxOf(state: unknown, frameworkId: string, taskId: string): string | undefined {
  const { frameworks, completed_frameworks } = agentState.parse(state);
  for (const { id, executors, completed_executors } of [...frameworks, ...completed_frameworks]) {
    if (id !== frameworkId) continue;
    const all = [...executors, ...completed_executors];
    const holds = (each: z.infer<typeof executor>): boolean =>
      [...each.tasks, ...each.queued_tasks, ...each.completed_tasks].some((task) => task.id === taskId);
    // A command task's executor has the task's id.
    const found = all.find(holds) ?? all.find((each) => each.id === taskId);
    if (found !== undefined) return found.directory;
  }
  return undefined;
}

/** The answer of /files/read, whose `data` are raw bytes within JSON: not always UTF-8. */
const filePart = z.looseObject({ offset: z.number(), data: z.string() });

/** The bytes of a /files/read answer. Throws when it is none. */
export function bytesOf(body: Uint8Array): Buffer {
  const { data } = filePart.parse(JSON.parse(Buffer.from(body).toString("latin1")));
  // Every character is a byte, but for what the agent escaped as \uXXXX.
  const plain = Buffer.from(data, "latin1");
  if (plain.toString("latin1") === data) return plain;
  const wide = (character: string): boolean => (character.codePointAt(0) ?? 0) > 255;
  return Buffer.concat([...data].map((each) => Buffer.from(each, wide(each) ? "utf8" : "latin1")));
}

const TIMEOUT = 10_000;
/** Bytes asked for at once; agents give 64 KiB at most. */
const PART = 65_536;

/** Reads the sandboxes of one agent over HTTP. */
export class AgentFiles {
  readonly #address: string;
  readonly #id: string;
  readonly #headers: Record<string, string>;
  readonly #agent = new Agent({ connect: { timeout: TIMEOUT }, headersTimeout: TIMEOUT, bodyTimeout: TIMEOUT });
  /** `.json` for agents before 0.25. */
  #suffix = "";

  /** @param address `ip:port`; @param id the agent's process, `slave(1)`. */
  constructor(address: string, id: string, credential: Credential | undefined) {
    this.#address = address;
    this.#id = id;
    this.#headers = basicHeader(credential);
  }

  async #get(path: string): Promise<{ status: number; body: Buffer }> {
    const answer = await request(`http://${this.#address}${path}`, { dispatcher: this.#agent, headers: this.#headers });
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
  }

  /** Gets a page whose name ended in .json before 0.25. Undefined: not there. */
  async #page(name: string, query: string): Promise<Buffer | undefined> {
    for (const suffix of new Set([this.#suffix, ".json", ""])) {
      const { status, body } = await this.#get(`${name}${suffix}${query}`);
      if (status === 200) {
        this.#suffix = suffix;
        return body;
      }
      if (status !== 404)
        throw new Error(`${this.#address}${name} answered ${status}: ${body.toString().slice(0, 200)}`);
    }
    return undefined;
  }

  async sandbox(frameworkId: string, taskId: string): Promise<string | undefined> {
    const body = await this.#page(`/${this.#id}/state`, "");
    return body === undefined ? undefined : sandboxOf(JSON.parse(body.toString()), frameworkId, taskId);
  }

  /** What follows `offset` in a file; empty at its end, and when there is no such file. */
  async read(path: string, offset: number): Promise<Buffer> {
    const query = `?path=${encodeURIComponent(path)}&offset=${offset}&length=${PART}`;
    const body = await this.#page("/files/read", query);
    return body === undefined ? Buffer.alloc(0) : bytesOf(body);
  }

  /** What still waits for an answer is told that it will not come. */
  async close(): Promise<void> {
    await this.#agent.destroy(new Error(`the agent at ${this.#address} does not answer`));
  }
}
