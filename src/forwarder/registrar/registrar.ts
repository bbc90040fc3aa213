import { readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Clock, Timer } from "../../base/clock.ts";
import { writeAtomic } from "../../base/durable.ts";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Batch } from "../model/batch.ts";
import type { RegistrySettings } from "../model/settings.ts";
import { CONVINCING, type Fingerprint, type Source } from "../model/source.ts";
import { type Entry, entryOf, formatRegistry, parseRegistry } from "./format.ts";
import { Ledger } from "./ledger.ts";

/** At low rates the file is written this often, in milliseconds: an fsync per window would wear disks out. */
const QUIET_INTERVAL = 250;
/** After a failed write (disk full), tried again after this many milliseconds. */
const RETRY = 1000;

export interface RegistrarOptions {
  readonly settings: RegistrySettings;
  /** false: nothing is written. */
  readonly durable: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Events that may be unrecorded before a write is due at once. */
  readonly urgent: number;
  /** The sources to be recorded. */
  sources(): Iterable<Source>;
  /** Positions are durable now: there may be room for more events. */
  saved(): void;
}

/** The entry of a source, and what of the source changes it. */
interface Line extends Pick<Source, "acked" | "ackedTail" | "path" | "fingerprint" | "identity" | "imported"> {
  readonly text: string;
}

/** Records positions, after their acknowledgement only, and never partly: fsync and rename. */
export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #ledger = new Ledger();
  readonly #lines = new Map<Source, Line>();
  /** Sources that the file on disk names, and what it knows of their beginning. */
  readonly #recorded = new WeakMap<Source, Fingerprint>();
  /** Events applied and not yet on disk. */
  #unsaved = 0;
  #dirty = false;
  #saving: Promise<void> | undefined;
  #savedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  failure: string | undefined;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** Events handed over and not yet acknowledged and durable. */
  get outstanding(): number {
    return this.#ledger.outstanding + this.#unsaved;
  }

  get unacknowledged(): number {
    return this.#ledger.outstanding;
  }

  get bytes(): number {
    return this.#ledger.bytes;
  }

  /**
   * The file on disk has an entry by which this source is known again wherever rotation puts it (or is not written at
   * all). One that was made while the file was empty knows its name only.
   */
  records(source: Source): boolean {
    if (!this.#options.durable || source.identity.inode === "0") return true;
    const known = this.#recorded.get(source);
    return known !== undefined && (known.length >= CONVINCING || known.hash === source.fingerprint.hash);
  }

  /** Puts `sources` on record. Resolves when they are, or when the file cannot be written (see `failure`). */
  async record(sources: readonly Source[]): Promise<void> {
    if (sources.every((source) => this.records(source))) return;
    this.#dirty = true;
    await this.save();
  }

  expect(batch: Batch): void {
    this.#ledger.add(batch);
    if (batch.events === 0) this.#apply();
  }

  acknowledge(batch: Batch, first: number, until: number): void {
    this.#ledger.acknowledge(batch, first, until);
    this.#apply();
  }

  /** Something besides a position changed: a path, a fingerprint, a source that is gone. */
  changed(): void {
    this.#dirty = true;
    this.#schedule();
  }

  #apply(): void {
    this.#unsaved += this.#ledger.apply(this.#options.clock.now());
    this.changed();
  }

  #schedule(): void {
    if (this.#saving !== undefined) return;
    const { clock, urgent } = this.#options;
    const wait = this.failure !== undefined ? RETRY : this.#savedAt + QUIET_INTERVAL - clock.monotonic();
    if (wait <= 0 || (this.failure === undefined && this.#unsaved >= urgent)) void this.save();
    else {
      this.#timer ??= clock.after(wait, () => {
        this.#timer = undefined;
        if (this.#dirty) void this.save();
      });
    }
  }

  /** Writes what is known now; resolves when it is durable. Does not reject: a failure is logged and tried again. */
  async save(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    // Whoever reported a change finishes it first: a source that moves between two places is always in one of them.
    await Promise.resolve();
    while (this.#saving !== undefined) await this.#saving;
    if (!this.#dirty) return;
    const writing = this.#write();
    this.#saving = writing;
    await writing;
    this.#saving = undefined;
    if (this.#dirty) this.#schedule();
    if (this.failure === undefined) this.#options.saved();
  }

  async #write(): Promise<void> {
    const { settings, clock, log, sources, durable } = this.#options;
    const covered = this.#unsaved;
    this.#dirty = false;
    const written = [...sources()];
    const known = written.map(({ fingerprint }) => fingerprint);
    try {
      if (durable) await writeAtomic(settings.path, formatRegistry(this.#render(written)), { mode: 0o640 });
      for (const [at, source] of written.entries()) this.#recorded.set(source, known[at] ?? source.fingerprint);
      this.#unsaved -= covered;
      if (this.failure !== undefined) log.info(`the registry '${settings.path}' is written again`);
      this.failure = undefined;
    } catch (error) {
      if (this.failure === undefined)
        log.error(`cannot write the registry '${settings.path}': ${messageOf(error)}; shipping pauses until it works`);
      this.failure = messageOf(error);
      this.#dirty = true;
    }
    this.#savedAt = clock.monotonic();
  }

  /** Entries as text; those that did not change since the last time are not made again. */
  #render(sources: Iterable<Source>): string[] {
    const lines: string[] = [];
    for (const source of sources) {
      const { acked, ackedTail, path, fingerprint, identity, imported } = source;
      let line = this.#lines.get(source);
      if (
        line === undefined ||
        line.acked !== acked ||
        line.ackedTail !== ackedTail ||
        line.path !== path ||
        line.fingerprint !== fingerprint ||
        line.identity !== identity ||
        line.imported !== imported
      ) {
        const text = JSON.stringify(entryOf(source));
        line = { acked, ackedTail, path, fingerprint, identity, imported, text };
        this.#lines.set(source, line);
      }
      lines.push(line.text);
    }
    if (this.#lines.size > 2 * lines.length + 64) this.#lines.clear();
    return lines;
  }
}

/** The text of a registry, undefined when there is none. Throws a UserError when it cannot be read. */
export function readRegistry(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new UserError(
      `cannot read the registry '${path}': ${messageOf(error)}`,
      "make it readable for this user; starting without it would ship everything again",
    );
  }
}

/** Removes what a write left behind that was cut short. Call while the lock is held. */
function sweep(path: string): void {
  const [folder, prefix] = [dirname(path), `.${basename(path)}.`];
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix) && name.endsWith(".tmp")) rmSync(join(folder, name), { force: true });
}

/**
 * The positions of the last run, or those of the old program. A file that cannot be understood is kept beside, said
 * aloud, and everything is sent again: doubled rather than lost.
 */
export function loadRegistry(settings: RegistrySettings, log: Logger, now: number): Entry[] {
  sweep(settings.path);
  const own = readRegistry(settings.path);
  const path = own === undefined ? settings.importFrom : settings.path;
  const text = own ?? (path === undefined ? undefined : readRegistry(path));
  if (text === undefined || path === undefined) return [];
  const aside = `${path}.broken-${now}`;
  try {
    const { entries, broken, old } = parseRegistry(text);
    if (old) log.info(`took over ${entries.length} positions from logstash-forwarder's '${path}'`);
    if (broken > 0)
      log.error(`${broken} entries of the registry '${path}' are broken and left out: resending these files`);
    return entries.map((entry) => (entry.touched === 0 ? { ...entry, touched: now } : entry));
  } catch (error) {
    if (path === settings.path) renameSync(path, aside);
    log.error(
      `the registry '${path}' is broken (${messageOf(error)})${path === settings.path ? `, kept as '${aside}'` : ""}: ` +
        "starting without positions, files are sent again",
    );
    return [];
  }
}
