import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { Identity } from "../model/identity.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  type KillRequest,
  runKey,
  type TaskRecord,
} from "../model/records.ts";

/** Kills on disk: a restarted agent reports what they ended as killed, not as failed. */
export class KeptKills {
  readonly #store: CheckpointStore;
  readonly #identity: Identity;
  readonly #log: Logger;

  constructor(store: CheckpointStore, identity: Identity, log: Logger) {
    this.#store = store;
    this.#identity = identity;
    this.#log = log;
  }

  /** Of a framework that checkpoints. The kill goes on even if it cannot be written down. */
  keep(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord, kill: KillRequest): void {
    if (!framework.info.checkpoint) return;
    try {
      this.#store.kill(runKey(this.#identity.id, executor), task.taskId, kill);
    } catch (error) {
      this.#log.error(`Cannot checkpoint the kill of task ${task.taskId}: ${messageOf(error)}`);
    }
  }
}
