import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import * as z from "zod";
import { writeAtomic } from "../../../base/durable.ts";
import { codeOf } from "../../../base/errors.ts";
import { ResourceSchema, TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Limitation } from "../../model/isolation.ts";
import { cursorSchema, type OutputCursor } from "./output-cursor.ts";
import { type ContainerEnd, endSchema } from "./termination.ts";

/**
 * What must outlive the agent and its container, besides the labels:
 *
 *   <state directory>/
 *     agent-key                 random, whose containers these are
 *     containers/<container id>/
 *       output.json             how far the logs are in the sandbox
 *       stop.json               when the container must be dead, and the limit that it went over, if that is why
 *       end.json                how it ended
 *       sessions.json           as whom sessions were opened in it
 *       memory.json             bytes that it is held to by an order
 */
const limitationSchema = z.object({
  reason: z.enum(TaskStatus_Reason),
  message: z.string(),
  resources: z.array(z.json().transform((json) => fromJson(ResourceSchema, json as JsonValue))).readonly(),
});
const stopSchema = z.object({
  /** Milliseconds since the epoch. */
  askedAt: z.number(),
  deadline: z.number(),
  limitation: limitationSchema.optional(),
});
export type StopRequest = z.infer<typeof stopSchema>;
/** undefined in the file: the container's own user. */
const sessionsSchema = z.object({
  users: z.array(
    z
      .string()
      .nullable()
      .transform((user) => user ?? undefined),
  ),
});

const limitationJson = ({ reason, message, resources }: Limitation): z.input<typeof limitationSchema> => ({
  reason,
  message,
  resources: resources.map((resource) => toJson(ResourceSchema, resource) as z.util.JSONType),
});

export class StateFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The key of this work_dir, made on first use. */
  async agentKey(): Promise<string> {
    const path = join(this.#folder, "agent-key");
    const known = await readText(path);
    if (known !== undefined && known.trim() !== "") return known.trim();
    const key = randomUUID();
    await writeAtomic(path, key, { mode: 0o600 });
    return key;
  }

  cursor(containerId: string): Promise<OutputCursor | undefined> {
    return this.#read(containerId, "output.json", cursorSchema);
  }

  /** Not synced: it only has to outlive the process. */
  async saveCursor(containerId: string, cursor: OutputCursor): Promise<void> {
    await writeAtomic(this.#path(containerId, "output.json"), JSON.stringify(cursor), { sync: false, mode: 0o600 });
  }

  stop(containerId: string): Promise<StopRequest | undefined> {
    return this.#read(containerId, "stop.json", stopSchema);
  }

  async saveStop(containerId: string, { limitation, ...stop }: StopRequest): Promise<void> {
    const kept = { ...stop, limitation: limitation && limitationJson(limitation) };
    await writeAtomic(this.#path(containerId, "stop.json"), JSON.stringify(kept), { mode: 0o600 });
  }

  end(containerId: string): Promise<ContainerEnd | undefined> {
    return this.#read(containerId, "end.json", endSchema);
  }

  async saveEnd(containerId: string, end: ContainerEnd): Promise<void> {
    await writeAtomic(this.#path(containerId, "end.json"), JSON.stringify(end), { mode: 0o600 });
  }

  /** As whom sessions were opened in it; undefined stands for the container's own user. */
  async sessionUsers(containerId: string): Promise<readonly (string | undefined)[]> {
    return (await this.#read(containerId, "sessions.json", sessionsSchema))?.users ?? [];
  }

  /** Not synced: sessions do not outlive the machine. */
  async saveSessionUsers(containerId: string, users: readonly (string | undefined)[]): Promise<void> {
    const kept = { users: users.map((user) => user ?? null) };
    await writeAtomic(this.#path(containerId, "sessions.json"), JSON.stringify(kept), { sync: false, mode: 0o600 });
  }

  memory(containerId: string): Promise<number | undefined> {
    return this.#read(containerId, "memory.json", z.number());
  }

  async saveMemory(containerId: string, bytes: number): Promise<void> {
    await writeAtomic(this.#path(containerId, "memory.json"), JSON.stringify(bytes), { mode: 0o600 });
  }

  async forget(containerId: string): Promise<void> {
    await rm(join(this.#folder, "containers", containerId), { recursive: true, force: true });
  }

  /** Container ids that have files here. */
  async known(): Promise<string[]> {
    const folder = join(this.#folder, "containers");
    await mkdir(folder, { recursive: true });
    return readdir(folder);
  }

  #path(containerId: string, name: string): string {
    if (!/^[A-Za-z0-9._-]+$/.test(containerId)) throw new Error(`'${containerId}' is not a container id`);
    return join(this.#folder, "containers", containerId, name);
  }

  /** Undefined when missing or damaged: everything here can be done without. */
  async #read<T>(containerId: string, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await readText(this.#path(containerId, name));
    if (text === undefined) return undefined;
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
