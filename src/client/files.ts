import * as z from "zod";
import type { HttpPeer } from "./peer.ts";

/** What we need of an agent's /state. */
const executor = z.looseObject({
  id: z.string(),
  directory: z.string(),
  type: z.string().optional(),
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

/** Where a task writes: in a group each has a folder of its own, in Mesos' default executor's. */
export const taskFolder = (executor: { readonly directory: string; readonly type?: string | undefined }, id: string) =>
  executor.type === "DEFAULT" ? `${executor.directory}/tasks/${id}` : executor.directory;

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
    if (found !== undefined) return taskFolder(found, taskId);
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

/** Bytes asked for at once; agents give 64 KiB at most. */
const PART = 65_536;

/** What an agent lists of a folder. */
const listing = z.array(z.looseObject({ path: z.string(), size: z.number(), mtime: z.number() }));

/** One file of a folder; `modified` in seconds since the epoch. */
export interface ListedFile {
  readonly name: string;
  readonly size: number;
  readonly modified: number;
}

/** Reads the sandboxes of one agent over HTTP. */
export class AgentFiles {
  readonly #peer: HttpPeer;
  readonly #id: string;
  /** `.json` for agents before 0.25. */
  #suffix = "";

  /** @param id the agent's process, `slave(1)`. */
  constructor(peer: HttpPeer, id: string) {
    this.#peer = peer;
    this.#id = id;
  }

  /** Gets a page whose name ended in .json before 0.25. Undefined: not there. */
  async #page(name: string, query: string): Promise<Buffer | undefined> {
    for (const suffix of new Set([this.#suffix, ".json", ""])) {
      const reply = await this.#peer.get(`${name}${suffix}${query}`);
      if (reply.status === 200) {
        this.#suffix = suffix;
        return reply.body;
      }
      if (reply.status !== 404) throw this.#peer.refusal(name, reply);
    }
    return undefined;
  }

  async sandbox(frameworkId: string, taskId: string): Promise<string | undefined> {
    const body = await this.#page(`/${this.#id}/state`, "");
    return body === undefined ? undefined : sandboxOf(JSON.parse(body.toString()), frameworkId, taskId);
  }

  /** What follows `offset` in a file; empty at its end, and when there is no such file. */
  async read(path: string, offset: number, length = PART): Promise<Buffer> {
    const query = `?path=${encodeURIComponent(path)}&offset=${offset}&length=${Math.min(length, PART)}`;
    const body = await this.#page("/files/read", query);
    return body === undefined ? Buffer.alloc(0) : bytesOf(body);
  }

  /** The files of a folder; undefined when there is no such folder. */
  async list(folder: string): Promise<ListedFile[] | undefined> {
    const body = await this.#page("/files/browse", `?path=${encodeURIComponent(folder)}`);
    if (body === undefined) return undefined;
    return listing
      .parse(JSON.parse(body.toString("utf8")))
      .map(({ path, size, mtime }) => ({ name: path.slice(path.lastIndexOf("/") + 1), size, modified: mtime }));
  }
}
