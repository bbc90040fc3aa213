import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { writeAtomic } from "../../../base/durable.ts";
import { codeOf, messageOf, UserError } from "../../../base/errors.ts";
import { makeFolder } from "../../../base/folders.ts";

/*
 * <runtime_dir>/
 *   containers/<container id>/
 *     processes       shim pid, its start time, task pid, mark: written by the shim as soon as the task runs
 *     stop            epoch milliseconds at which the container is killed: written when it is asked to end
 *     memory          bytes that the container is held to by an order; written after the kernel has taken them
 *     nested, end     of a container of the operator API: owner, then what a restarted agent must know (../nested/record.ts)
 *     terminal        socket of a task with a terminal, on which its shim listens (terminal-parts.ts)
 *     status          raw wait status: written by the shim when nothing of the container runs any more
 *     containers/<id>/   what a C++ agent ran within it: `pid`, `status`, and again `containers`
 *   agents/<owner>/
 *     ended/<container id>   a link to `status`; watched by the agent
 *     launching              named pipe, open while launches are under way
 *
 * The mark is `<owner> <boot id> <pid namespace>`: other agents' containers are never touched, and after a reboot (or
 * in a new container, whose process ids mean something else) no process id is believed.
 */

/** Everything after the mark's `owner`: where process ids mean the same as now. */
export interface ProcessSpace {
  readonly bootId: string;
  readonly pidNamespace: string;
}

/** The file `processes`. */
export interface ProcessesRecord {
  readonly shim: number;
  readonly since: string;
  readonly pid: number;
  readonly owner: string;
  readonly space: ProcessSpace;
}

/** A short name for whoever may touch a container: sixteen hex digits of the hash of `text` (the work_dir). */
export function ownerOf(text: string): string {
  // `/work/` and `/work` are one folder.
  const plain = normalize(text).replace(/(?<=.)\/+$/, "");
  return createHash("sha256").update(plain).digest("hex").slice(0, 16);
}

/** This boot and this pid namespace; `unknown` where /proc does not tell. */
export function currentProcessSpace(proc = "/proc"): ProcessSpace {
  const attempt = (read: () => string): string => {
    try {
      return read().trim().replaceAll(/\s/g, "");
    } catch {
      return "unknown";
    }
  };
  return {
    bootId: attempt(() => readFileSync(join(proc, "sys/kernel/random/boot_id"), "utf8")),
    pidNamespace: attempt(() => readlinkSync(join(proc, "self/ns/pid"))),
  };
}

/** undefined for a file that a shim did not finish writing. */
export function parseProcesses(text: string): ProcessesRecord | undefined {
  const match = /^(\d+) (\d+) (\d+) (\S+) (\S+) (\S+)\n$/.exec(text);
  if (match === null) return undefined;
  const [, shim, since = "", pid, owner = "", bootId = "", pidNamespace = ""] = match;
  return { shim: Number(shim), since, pid: Number(pid), owner, space: { bootId, pidNamespace } };
}

/** All that shims write is ASCII; of a damaged file no byte is lost so. */
const readOptional = (path: string): string | undefined => readText(path, "latin1");

function readText(path: string, encoding: "latin1" | "utf8" = "utf8"): string | undefined {
  // Of a container that has just started nothing is there yet. An error costs as much as five questions.
  if (!existsSync(path)) return undefined;
  try {
    return readFileSync(path, encoding);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The runtime folders of one agent. Paths and small files; synchronous where it is one short system call. */
export class RuntimeFolder {
  readonly owner: string;
  readonly space: ProcessSpace;
  readonly #containers: string;
  readonly #own: string;

  constructor(runtimeDir: string, owner: string, space: ProcessSpace) {
    this.owner = owner;
    this.space = space;
    this.#containers = join(runtimeDir, "containers");
    this.#own = join(runtimeDir, "agents", owner);
  }

  get ended(): string {
    return join(this.#own, "ended");
  }

  get launching(): string {
    return join(this.#own, "launching");
  }

  get mark(): string {
    return `${this.owner} ${this.space.bootId} ${this.space.pidNamespace}`;
  }

  container(id: string): string {
    return join(this.#containers, id);
  }

  /** Makes the folders; throws a UserError where this user may not. */
  create(): void {
    try {
      makeFolder(this.#containers, 0o711);
      makeFolder(this.ended, 0o700);
    } catch (error) {
      throw new UserError(
        `cannot use --runtime_dir=${dirname(this.#containers)}: ${messageOf(error)}`,
        "give the agent a folder that it may write to: --runtime_dir=$HOME/mesos-runtime",
        { cause: error },
      );
    }
  }

  processes(id: string): ProcessesRecord | undefined {
    const text = readOptional(this.processesFile(id));
    return text === undefined ? undefined : parseProcesses(text);
  }

  hasTerminal(id: string): boolean {
    return existsSync(join(this.container(id), "terminal"));
  }

  processesFile(id: string): string {
    return join(this.container(id), "processes");
  }

  /**
   * Whether what `processes` says may be damage: it cannot be read, names an agent that there never was, or a boot or pid
   * namespace that is not this one although it looks like one. A well-formed record of another agent is none.
   */
  isDoubtful(id: string): boolean {
    const record = this.processes(id);
    if (record === undefined) return true;
    if (!/^[0-9a-f]{16}$/.test(record.owner)) return true;
    if (record.owner !== this.owner) return !existsSync(join(dirname(this.#own), record.owner));
    const { bootId, pidNamespace } = record.space;
    return bootId.length === this.space.bootId.length || !/^[!-~]+$/.test(bootId + pidNamespace);
  }

  /** The raw wait status of an ended container. */
  status(id: string): number | undefined {
    const own = readOptional(join(this.container(id), "status"));
    const text = own ?? (id.includes(".") ? readOptional(join(this.#left(id), "status")) : undefined);
    return text !== undefined && /^\d{1,5}$/.test(text.trim()) ? Number(text) : undefined;
  }

  /** Epoch milliseconds of the kill that was announced, if one was. */
  deadline(id: string): number | undefined {
    const text = readOptional(join(this.container(id), "stop"));
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  async announceDeadline(id: string, epochMilliseconds: number): Promise<void> {
    await writeAtomic(join(this.container(id), "stop"), `${Math.ceil(epochMilliseconds)}`, {
      mode: 0o600,
      sync: false,
    });
  }

  async orderMemory(id: string, bytes: number): Promise<void> {
    await this.note(id, "memory", `${bytes}`);
  }

  /** Bytes that the container is held to by an order. */
  orderedMemory(id: string): number | undefined {
    const text = this.noteOf(id, "memory");
    return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  }

  /** Keeps a text beside what the shim writes; only the agent may read it. */
  async note(id: string, name: string, text: string): Promise<void> {
    makeFolder(this.container(id), 0o700);
    await writeAtomic(join(this.container(id), name), `${this.owner}\n${text}`, { mode: 0o600, sync: false });
  }

  /** undefined: there is none of this agent's. */
  noteOf(id: string, name: string): string | undefined {
    const text = readText(join(this.container(id), name));
    return text?.startsWith(`${this.owner}\n`) ? text.slice(this.owner.length + 1) : undefined;
  }

  /** The texts by this name, by the ids of their containers. */
  *notes(name: string): Generator<readonly [string, string]> {
    for (const id of readdirSync(this.#containers)) {
      const text = this.noteOf(id, name);
      if (text !== undefined) yield [id, text];
    }
  }

  /** Where a C++ agent keeps a nested container, by its key: in the folder of the one that it is in. */
  #left(key: string): string {
    return join(this.#containers, key.replaceAll(".", "/containers/"));
  }

  /** The process that a C++ agent started a container with; undefined: it started none by this key. */
  leftPid(key: string): number | undefined {
    const text = readOptional(join(this.#left(key), "pid"));
    return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  }

  /** Ids of what a C++ agent ran directly within a container. */
  leftWithin(key: string): string[] {
    const folder = join(this.#left(key), "containers");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** Ids of executors' containers of which no shim of ours wrote anything. */
  leftIds(): string[] {
    return readdirSync(this.#containers).filter((id) => !id.includes(".") && !existsSync(this.processesFile(id)));
  }

  /** Whether a C++ agent would end it when it starts again: a session, whose client is gone. */
  isLeftSession(key: string): boolean {
    return existsSync(join(this.#left(key), "force_destroy_on_recovery"));
  }

  /** Ids of containers that this agent, at any time, has started. */
  own(): string[] {
    return readdirSync(this.#containers).filter((id) => this.processes(id)?.owner === this.owner);
  }

  endedIds(): string[] {
    return readdirSync(this.ended);
  }

  sameSpace(record: ProcessesRecord): boolean {
    return record.space.bootId === this.space.bootId && record.space.pidNamespace === this.space.pidNamespace;
  }

  /**
   * Whether nothing of the container can still write here. Records of another pid namespace of this boot may belong to
   * an agent in a container beside ours that has the same work_dir by name.
   */
  isCertainlyOver(id: string): boolean {
    const record = this.processes(id);
    return this.status(id) !== undefined || (record !== undefined && record.space.bootId !== this.space.bootId);
  }

  remove(id: string): void {
    rmSync(join(this.ended, id), { force: true });
    rmSync(this.container(id), { recursive: true, force: true });
    if (id.includes(".")) rmSync(this.#left(id), { recursive: true, force: true });
  }
}
