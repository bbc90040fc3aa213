import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { type ContainerChain, chainText, keyOf } from "../../model/nested.ts";
import type { RuntimeFolder } from "../mesos/runtime-folder.ts";
import { formatEnd, formatRecord, type NestedRecord, parseEnd, parseRecord } from "./record.ts";

const [RECORD, END] = ["nested", "end"];

/** The records of nested and standalone containers: in the runtime folder of each, so that they go with it. */
export class NestedRecords {
  readonly #folder: RuntimeFolder;
  readonly #log: Logger;

  constructor(folder: RuntimeFolder, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Before anything of the container runs. Rejects with the system's error. */
  async write(key: string, record: NestedRecord): Promise<void> {
    await this.#folder.note(key, RECORD, formatRecord(record));
  }

  /** How it ended, where its wait status does not say all. */
  async end(key: string, termination: ContainerTermination): Promise<void> {
    const text = formatEnd(termination);
    if (text === undefined) return;
    try {
      await this.#folder.note(key, END, text);
    } catch (error) {
      this.#log.warn(`How container ${key} ended is forgotten when the agent restarts: ${messageOf(error)}`);
    }
  }

  /** What is known of an end besides its status. */
  endOf(key: string): ReturnType<typeof parseEnd> {
    const text = this.#folder.noteOf(key, END);
    return text === undefined ? {} : parseEnd(text);
  }

  /** Those of this agent, by key; damaged ones are left out, and named in the log. */
  all(): ReadonlyMap<string, NestedRecord> {
    this.#folder.create();
    const found = new Map<string, NestedRecord>();
    for (const [key, text] of this.#folder.notes(RECORD)) {
      const record = parseRecord(text);
      if (record !== undefined) found.set(key, record);
      else this.#log.error(`The record of container ${key} is damaged: it is ended`);
    }
    return found;
  }

  /** What a C++ agent left directly within a container: its ids, as far as they are keys. `pid` undefined: it never started. */
  left(within: ContainerChain): { chain: ContainerChain; pid: number | undefined; isSession: boolean }[] {
    const found: ContainerChain[] = this.#folder.leftWithin(keyOf(within)).map((id) => [...within, id]);
    const plain = found.filter((chain) => keyOf(chain) === chainText(chain));
    return plain.map((chain) => ({
      chain,
      pid: this.#folder.leftPid(keyOf(chain)),
      isSession: this.#folder.isLeftSession(keyOf(chain)),
    }));
  }

  /** Of a launch that came to nothing. */
  forgetUnstarted(key: string): void {
    if (this.#folder.processes(key) === undefined) this.#folder.remove(key);
  }

  forget(key: string): void {
    this.#folder.remove(key);
  }
}
