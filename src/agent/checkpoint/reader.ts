import { readdirSync, readFileSync, readlinkSync, truncateSync } from "node:fs";
import { basename } from "node:path";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { decode } from "../../mesos/codec.ts";
import type { Paths } from "../model/paths.ts";
import { readRecords } from "../model/record-file.ts";

export interface ReadOptions {
  readonly paths: Paths;
  readonly log: Logger;
  /** true: a damaged file is an error. false: it is counted and left out. */
  readonly strict: boolean;
}

/** What a damaged file should say. */
export interface Replacement<T> {
  readonly value: T;
  /** The file that it was made from. */
  readonly from: string;
}

/** Reads single checkpoint files, and knows what damage means: it names the file. Missing and empty files are normal. */
export class CheckpointReader {
  readonly #options: ReadOptions;
  #errors = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  /** Items that could not be read and were left out. */
  get errors(): number {
    return this.#errors;
  }

  /** A damaged item: an error, or counted and skipped. */
  damaged(path: string, problem: string): undefined {
    if (this.#options.strict) {
      throw new UserError(
        `cannot read the checkpoint ${path}: ${problem}`,
        `restore the file, or start with --no-strict to go on without it, or remove ${this.#options.paths.meta.latestAgent()} to start as a new agent`,
      );
    }
    this.#errors++;
    this.#options.log.error(`Leaving out the damaged checkpoint ${path}: ${problem}`);
    return undefined;
  }

  /** Damaged, and made anew from elsewhere if that can be. */
  #replaced<T>(path: string, problem: string, replace: (() => Replacement<T> | undefined) | undefined): T | undefined {
    const found = replace?.();
    if (found === undefined) return this.damaged(path, problem);
    this.mended(path, [`${problem}; ${found.from} says the same`]);
    return found.value;
  }

  /** What could be mended from the rest of the checkpoint is said, and is no error. */
  mended(path: string, problems: readonly string[]): void {
    if (problems.length === 0) return;
    this.#options.log.error(`Mending the damaged checkpoint ${path}: ${problems.join("; ")}`);
  }

  bytes(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      return this.damaged(path, messageOf(error));
    }
  }

  text(path: string): string | undefined {
    const text = this.bytes(path)?.toString().trim();
    return text === "" ? undefined : text;
  }

  /** The message that a file consists of; undefined when it is missing, empty or damaged. */
  message<D extends DescMessage>(
    schema: D,
    path: string,
    replace?: () => Replacement<MessageShape<D>> | undefined,
  ): MessageShape<D> | undefined {
    const data = this.bytes(path);
    if (data === undefined) return undefined;
    if (data.length === 0) {
      const found = replace?.();
      if (found !== undefined) return this.#replaced(path, "it is empty", () => found);
      this.#options.log.warn(`Skipping the empty checkpoint ${path}: the agent stopped while it was written`);
      return undefined;
    }
    const { records, rest } = readRecords(data);
    const first = records[0];
    if (first === undefined) return this.#replaced(path, `its only record is ${rest ?? "missing"}`, replace);
    try {
      return decode(schema, first);
    } catch (error) {
      return this.#replaced(path, messageOf(error), replace);
    }
  }

  /**
   * The message of a file whose folder has the name of its subject. One that is about something else is damaged.
   * `replace`: what a file that is there, but damaged, should say, if that is known from elsewhere.
   */
  named<D extends DescMessage>(
    schema: D,
    path: string,
    id: string,
    idOf: (message: MessageShape<D>) => { readonly value: string } | undefined,
    replace?: () => Replacement<MessageShape<D>> | undefined,
  ): MessageShape<D> | undefined {
    const message = this.message(schema, path, replace);
    const own = message === undefined ? undefined : idOf(message)?.value;
    if (own === undefined || own === id) return message;
    return this.#replaced(path, `it is about '${own}', not '${id}'`, replace);
  }

  decoded<D extends DescMessage>(schema: D, path: string, records: readonly Buffer[]): MessageShape<D>[] {
    return records.flatMap((bytes) => {
      try {
        return [decode(schema, bytes)];
      } catch (error) {
        this.damaged(path, messageOf(error));
        return [];
      }
    });
  }

  /** Appended records. A partial last one is cut off, so that what is appended later can be read. */
  appended<D extends DescMessage>(schema: D, path: string): MessageShape<D>[] {
    const data = this.bytes(path);
    if (data === undefined) return [];
    const { records, rest, goodLength } = readRecords(data);
    if (rest === "corrupt") this.damaged(path, `the record at byte ${goodLength} is longer than any can be`);
    if (rest !== undefined) {
      this.#options.log.warn(
        `The last record of ${path} is ${rest}: keeping ${records.length} records (${goodLength} of ${data.length} bytes)`,
      );
      this.#cut(path, goodLength);
    }
    return this.decoded(schema, path, records);
  }

  #cut(path: string, length: number): void {
    try {
      truncateSync(path, length);
    } catch (error) {
      throw new UserError(
        `cannot cut the partial last record off ${path}: ${messageOf(error)}`,
        "give the agent a work_dir that it can write to",
        { cause: error },
      );
    }
  }

  folders(path: string): string[] {
    try {
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      this.damaged(path, messageOf(error));
      return [];
    }
  }

  link(path: string): string | undefined {
    try {
      return basename(readlinkSync(path));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      return this.damaged(path, messageOf(error));
    }
  }
}
