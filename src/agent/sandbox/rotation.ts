import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, every, type Timer } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";

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
  readonly sandboxes: () => readonly string[];
}

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
    for (const sandbox of this.#options.sandboxes()) {
      for (const name of ["stdout", "stderr"]) {
        try {
          await this.#rotate(sandbox, name);
        } catch (error) {
          if (codeOf(error) !== "ENOENT")
            this.#options.log.warn(`Rotating '${join(sandbox, name)}': ${messageOf(error)}`);
        }
      }
    }
  }

  async #rotate(sandbox: string, name: string): Promise<void> {
    const { maximumBytes, keep } = this.#options;
    const path = join(sandbox, name);
    if ((await lstat(path)).size < maximumBytes) return;
    // The task owns the folder: a link put there instead of the file must not lead us elsewhere.
    const source = await open(path, NO_FOLLOW_READ_WRITE);
    try {
      const info = await source.stat();
      if (!info.isFile() || info.nlink !== 1) return;
      for (const [from, to] of rotationPlan(name, info.size, maximumBytes, keep)) {
        if (from === name) await copyAside(source, join(sandbox, to), info);
        else await rename(join(sandbox, from), join(sandbox, to)).catch(ignoreMissing);
      }
      await source.truncate(0);
    } finally {
      await source.close();
    }
  }
}

const NO_FOLLOW_READ_WRITE = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}

async function copyAside(
  source: FileHandle,
  path: string,
  { uid, gid, mode, size }: { uid: number; gid: number; mode: number; size: number },
): Promise<void> {
  await rm(path, { force: true, recursive: false });
  const target = await open(path, "wx", mode & 0o777);
  try {
    const chunk = Buffer.allocUnsafe(COPY_CHUNK);
    for (let position = 0; position < size; ) {
      const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, size - position), position);
      if (bytesRead === 0) break;
      await target.write(chunk, 0, bytesRead, position);
      position += bytesRead;
    }
    await target.chown(uid, gid);
  } finally {
    await target.close();
  }
}
