import { closeSync, fchownSync, fstatSync, ftruncateSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type Clock, every, type Timer } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { Pace } from "../../base/pace.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import type { HeldFolder } from "../model/held/folder.ts";
import { holdSandbox, type SandboxPlace } from "../model/held/sandbox.ts";
import { readAt, writeAt } from "../model/held/transfer.ts";

export interface RotationOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes at which `stdout` or `stderr` is rotated; 0 never (the default of Mesos' own logger). */
  readonly maximumBytes: number;
  /** How many old files `stdout.1` … are kept. */
  readonly keep: number;
  /** Milliseconds between looks. */
  readonly interval: number;
  /** Sandboxes of running containers. */
  readonly sandboxes: () => readonly SandboxPlace[];
  /** What the looks at thousands of sandboxes take turns with; its own, unless given. */
  readonly pace?: Pace;
}

/** Sandboxes that are looked at in one turn of the event loop, and milliseconds of it: each is opened folder by folder. */
const sandboxPace = new Pace(16, { milliseconds: 8 });

const COPY_CHUNK = 256 * 1024;

/** What has to be done for a file of `size` bytes: pure, so that the rule is tested alone. */
export function rotationPlan(
  name: string,
  size: number,
  maximumBytes: number,
  keep: number,
): readonly [string, string][] {
  if (maximumBytes <= 0 || size < maximumBytes) return [];
  const steps: [string, string][] = [];
  for (let index = keep - 1; index >= 1; index--) steps.push([`${name}.${index}`, `${name}.${index + 1}`]);
  if (keep > 0) steps.push([name, `${name}.1`]);
  return steps;
}

/**
 * Bounds the output of tasks: copies the file aside and truncates it, because the task keeps its own file open for
 * append. What is written between the copy and the truncation is lost, as with logrotate's copytruncate.
 */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #queue = new SerialQueue();
  readonly #timer: Timer | undefined;

  constructor(options: RotationOptions) {
    this.#options = options;
    const isOn = options.maximumBytes > 0;
    this.#timer = isOn
      ? every(options.clock, options.interval, () => {
          if (this.#queue.length === 0) void this.#queue.add(() => this.look());
        })
      : undefined;
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Looks at every sandbox once. */
  async look(): Promise<void> {
    for (const place of this.#options.sandboxes()) {
      await (this.#options.pace ?? sandboxPace).take();
      for (const name of ["stdout", "stderr"]) {
        try {
          await this.#rotate(place, name);
        } catch (error) {
          if (codeOf(error) !== "ENOENT")
            this.#options.log.warn(`Rotating '${join(place.sandbox, name)}': ${messageOf(error)}`);
        }
      }
    }
  }

  async #rotate(place: SandboxPlace, name: string): Promise<void> {
    const { maximumBytes, keep } = this.#options;
    using folder = holdSandbox(place);
    if ((folder.look(name)?.size ?? 0) < maximumBytes) return;
    const source = folder.file(name, { access: "update" });
    try {
      const info = fstatSync(source);
      for (const [from, to] of rotationPlan(name, info.size, maximumBytes, keep)) {
        if (from === name) await copyAside(source, folder, to, info);
        else if (folder.look(from) !== undefined) folder.rename(from, to);
      }
      ftruncateSync(source, 0);
    } finally {
      closeSync(source);
    }
  }
}

/** The task owns the folder: what it put in the place of the copy is removed, not written to. */
async function copyAside(source: number, folder: HeldFolder, name: string, info: Stats): Promise<void> {
  if (folder.look(name) !== undefined) folder.unlink(name);
  const target = folder.file(name, { access: "append", create: info.mode & 0o777, exclusive: true });
  try {
    const chunk = Buffer.allocUnsafe(COPY_CHUNK);
    for (let position = 0; position < info.size; ) {
      const length = await readAt(source, chunk, Math.min(chunk.length, info.size - position), position);
      if (length === 0) break;
      for (let written = 0; written < length; ) {
        written += await writeAt(target, chunk.subarray(0, length), written);
      }
      position += length;
    }
    fchownSync(target, info.uid, info.gid);
  } finally {
    closeSync(target);
  }
}
