import { open } from "node:fs/promises";
import { messageOf } from "../base/errors.ts";
import { type Outcome, outcome } from "./negotiation.ts";

/** Where a master's log is, for those who ask for files. */
const LOG = "/master/log";
/** Bytes of one answer: 16 pages, as in Mesos. */
const LARGEST_PART = 16 * 4096;

export interface FilePart {
  /** Of the whole file. */
  readonly size: bigint;
  readonly data: Uint8Array;
}

/** LIST_FILES and READ_FILE: the one file that a development master has to show is its log, when it writes one. */
export class LogFile {
  readonly #path: string | undefined;

  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** What is in a folder. In a file is nothing, as in Mesos. */
  list(path: string): readonly never[] | Outcome {
    return path.replace(/\/+$/, "") === LOG && this.#path !== undefined ? [] : outcome(404);
  }

  async read(path: string, offset: number, length: number | undefined): Promise<FilePart | Outcome> {
    if (path !== LOG || this.#path === undefined) return outcome(404);
    try {
      await using file = await open(this.#path);
      const { size } = await file.stat();
      const wanted = Math.min(length ?? size, size - offset, LARGEST_PART);
      const data = Buffer.alloc(Math.max(0, wanted));
      const { bytesRead } = data.length === 0 ? { bytesRead: 0 } : await file.read(data, 0, data.length, offset);
      return { size: BigInt(size), data: new Uint8Array(data.subarray(0, bytesRead)) };
    } catch (error) {
      return outcome(500, `Failed to read the log: ${messageOf(error)}`);
    }
  }
}
