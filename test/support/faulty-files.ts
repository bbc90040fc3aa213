import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type CheckpointFiles, checkpointFiles } from "../../src/agent/model/files.ts";
import { systemError } from "./checkpoint-files.ts";

/** What happens to an operation: the system refuses it, or the process ends before it, or in the middle of it. */
export type Fault = "ENOSPC" | "EIO" | "killed before" | "killed within";

/** The real files, of which one operation goes wrong. */
export class FaultyFiles {
  readonly files: CheckpointFiles;
  /** Operations so far, each as `append task.updates`. */
  readonly operations: string[] = [];
  readonly #at: number;
  readonly #fault: Fault;
  readonly #die: () => void;
  #dead = false;

  /** The operation number `at` (from 0) meets the fault; none does when it is never reached. */
  constructor(at: number, fault: Fault, die: () => void) {
    this.#at = at;
    this.#fault = fault;
    this.#die = die;
    const real = checkpointFiles;
    this.files = {
      replace: (path, data) =>
        this.#sync(
          `replace ${basename(path)}`,
          () => real.replace(path, data),
          () => this.#litter(path, data),
        ),
      create: (path, data) =>
        this.#sync(
          `create ${basename(path)}`,
          () => real.create(path, data),
          () => real.create(path, ""),
        ),
      touch: (path) => this.#sync(`touch ${basename(path)}`, () => real.touch(path)),
      folder: (path, below) => this.#sync(`folder ${basename(path)}`, () => real.folder(path, below)),
      remove: (path) => this.#sync(`remove ${basename(path)}`, () => real.remove(path)),
      link: (path, target) => this.#sync(`link ${basename(path)}`, () => real.link(path, target)),
      replaceDurably: (path, data) =>
        this.#async(
          `replace ${basename(path)}`,
          () => real.replaceDurably(path, data),
          () => this.#litter(path, data),
        ),
      linkDurably: (path, target) => this.#async(`link ${basename(path)}`, () => real.linkDurably(path, target)),
      append: (path, data, durable) =>
        this.#async(
          `append ${basename(path)}`,
          () => real.append(path, data, durable),
          () => void real.append(path, data.subarray(0, data.length >> 1), false),
        ),
      read: (path) => real.read(path),
    };
  }

  get happened(): boolean {
    return this.operations.length > this.#at;
  }

  /** What a process that ends in the middle of an atomic write leaves behind. */
  #litter(path: string, data: Uint8Array | string): void {
    mkdirSync(dirname(path), { recursive: true });
    const bytes = Buffer.from(data);
    writeFileSync(join(dirname(path), `.${basename(path)}.litter.tmp`), bytes.subarray(0, bytes.length >> 1));
  }

  /** Whether the operation goes on. */
  #enter(name: string, half: (() => void) | undefined): boolean {
    if (this.#dead) return false;
    const number = this.operations.push(name) - 1;
    if (number !== this.#at) return true;
    if (this.#fault === "ENOSPC" || this.#fault === "EIO") throw systemError(this.#fault);
    if (this.#fault === "killed within") half?.();
    this.#dead = true;
    this.#die();
    return false;
  }

  #sync(name: string, action: () => void, half?: () => void): void {
    if (this.#enter(name, half)) action();
  }

  async #async(name: string, action: () => Promise<void>, half?: () => void): Promise<void> {
    if (this.#enter(name, half)) await action();
    else await new Promise<never>(() => undefined);
  }
}
