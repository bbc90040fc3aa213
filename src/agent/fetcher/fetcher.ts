import { closeSync } from "node:fs";
import { basename } from "node:path";
import type { Dispatcher } from "undici";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { CommandInfo_URI } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { FetchProgress } from "../model/container.ts";
import { TaskFailure } from "../model/failure.ts";
import type { SandboxPlace } from "../model/held/sandbox.ts";
import { type CachedFile, FetchCache } from "./cache.ts";
import { announcedSize, download, fetchDispatcher } from "./download.ts";
import { fetchInProcess } from "./fetch-process.ts";
import { type FetchUser, FIRST_CACHED, type OrderedItem } from "./order.ts";
import { type FetchItem, planFetch, shownUri } from "./plan.ts";
import { SandboxLog } from "./sandbox-log.ts";

export interface FetcherOptions {
  readonly clock: Clock;
  /** `--fetcher_cache_dir`, `--fetcher_cache_size` in bytes. */
  readonly cacheFolder: string;
  readonly cacheBytes: number;
  /** `--fetcher_stall_timeout`, milliseconds. */
  readonly stallTimeout: number;
  readonly frameworksHome: string | undefined;
  readonly hadoopHome: string | undefined;
  /** For the programs that are run: PATH, and what a Hadoop client needs. */
  readonly environment: Readonly<Record<string, string>>;
  /** Shown in log lines. */
  readonly pid: number;
  readonly dispatcher?: Dispatcher;
  /** Who carries out what is done in the sandbox; default: a process of the task's user. */
  readonly carryOut?: typeof fetchInProcess;
}

/** One container's fetch. */
export interface FetchRequest extends SandboxPlace {
  readonly containerId: string;
  readonly user: FetchUser | undefined;
  readonly uris: readonly CommandInfo_URI[];
  readonly signal: AbortSignal;
  /** Told how far it is. */
  readonly progress?: ((progress: FetchProgress) => void) | undefined;
}

/** Figures for /metrics/snapshot. */
export interface FetcherFigures {
  readonly task_fetches_succeeded: number;
  readonly task_fetches_failed: number;
  readonly cache_size_total_bytes: number;
  readonly cache_size_used_bytes: number;
}

/** Files of the cache that one fetch process gets; each is a descriptor here and there. */
const MOST_CACHED = 32;

type Progress = (item: FetchItem, bytes: number, totalBytes: number | undefined) => void;

/** A URI that could not be fetched. `shown` has no password. */
class FetchProblem extends Error {
  constructor(shown: string, cause: unknown) {
    super(`Failed to fetch '${shown}': ${messageOf(cause)}`, { cause });
    this.name = "FetchProblem";
  }
}

/**
 * Brings what a task names into its sandbox before it starts (mesos-agent-behaviour §6). What is done in the sandbox is
 * done by a process of the task's user; here are the plan, the log's descriptors and the cache.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #cache: FetchCache;
  readonly #dispatcher: Dispatcher;
  #succeeded = 0;
  #failed = 0;

  constructor(options: FetcherOptions) {
    this.#options = options;
    const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    this.#cache = new FetchCache(options.cacheFolder, options.cacheBytes, self);
    this.#dispatcher = options.dispatcher ?? fetchDispatcher(options.environment);
  }

  /** Why nothing is cached; undefined when all is well. */
  get cacheTrouble(): string | undefined {
    return this.#cache.trouble;
  }

  get figures(): FetcherFigures {
    return {
      task_fetches_succeeded: this.#succeeded,
      task_fetches_failed: this.#failed,
      cache_size_total_bytes: this.#cache.totalBytes,
      cache_size_used_bytes: this.#cache.usedBytes,
    };
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /**
   * Fetches every URI, one after the other; the log is the sandbox's `stderr`. Rejects with a TaskFailure that names
   * the URI and why, or with the signal's reason.
   */
  async fetch(request: FetchRequest): Promise<void> {
    const { uris, user, containerId, signal } = request;
    if (uris.length === 0) return;
    let log: SandboxLog | undefined;
    try {
      log = new SandboxLog(request, user, this.#options);
      log.write(`Fetcher Info: ${infoOf(request)}`);
      const items = uris.map((uri) => attempt(uri.value, () => planFetch(uri, this.#options.frameworksHome)));
      const tell = (item: FetchItem, bytes: number, totalBytes: number | undefined): void =>
        request.progress?.({
          ...{ uri: shownUri(item.uri), number: items.indexOf(item) + 1, count: items.length },
          ...{ bytes, totalBytes },
        });
      for (let rest = items; rest.length > 0; ) rest = await this.#some(rest, request, log, tell);
      this.#succeeded++;
    } catch (error) {
      this.#failed++;
      if (signal.aborted) throw signal.reason;
      const why = messageOf(error);
      tell(log, why);
      throw TaskFailure.launch(`Failed to fetch all URIs for container '${containerId}': ${why}`, { cause: error });
    } finally {
      log?.[Symbol.dispose]();
    }
  }

  /** Fetches as many of `items` as one process takes. Resolves to the rest. */
  async #some(
    items: readonly FetchItem[],
    request: FetchRequest,
    log: SandboxLog,
    progress: Progress,
  ): Promise<FetchItem[]> {
    const { sandbox, user, containerId, signal } = request;
    const files: CachedFile[] = [];
    const ordered: OrderedItem[] = [];
    try {
      for (const item of items) {
        if (files.length === MOST_CACHED) break;
        const file = await this.#fromCache(item, request, log, progress);
        const descriptor = FIRST_CACHED + files.length;
        ordered.push({ item, cached: file && { descriptor, shown: file.shown, fresh: file.fresh } });
        if (file !== undefined) files.push(file);
      }
      const { stallTimeout, hadoopHome, environment, carryOut = fetchInProcess } = this.#options;
      const cached = files.map(({ descriptor }) => descriptor);
      const outcome = await carryOut(
        { user, sandbox, items: ordered, stallTimeout, hadoopHome },
        {
          containerId,
          environment,
          signal,
          progress: ({ index, bytes, totalBytes }) => {
            const { item } = ordered[index] ?? {};
            if (item !== undefined) progress(item, bytes, totalBytes);
          },
          descriptors: { stdout: log.stdout, stderr: log.stderr, sandbox: log.sandbox.fd, cached },
        },
      );
      if (outcome.kind === "failed") throw new FetchProblem(outcome.uri, new Error(outcome.why));
    } finally {
      for (const { descriptor, release } of files) {
        closeSync(descriptor);
        release();
      }
    }
    return items.slice(ordered.length);
  }

  async #fromCache(
    item: FetchItem,
    request: FetchRequest,
    log: SandboxLog,
    progress: Progress,
  ): Promise<CachedFile | undefined> {
    const { user, signal } = request;
    // A local file is as near as its copy, and the user's rights to read it are asked each time.
    if (!item.cache || item.source.kind !== "http") return undefined;
    const { url } = item.source;
    const { stallTimeout } = this.#options;
    const options = { dispatcher: this.#dispatcher, stallTimeout };
    const about = { uri: item.uri, basename: basename(item.destination), user: user?.name };
    const taken = this.#cache.take(
      about,
      () => announcedSize(url, options).catch(() => undefined),
      async (path) => {
        log.write(`Downloading '${shownUri(item.uri)}' into cache`);
        // Others may wait for it, too: it does not end with this container. Only to be read, also through a descriptor.
        const tell = (bytes: number, total: number | undefined): void => progress(item, bytes, total);
        // It announced less; nobody's rights but the agent's own bound what is written there.
        await download(url, path, { ...options, mode: 0o444, most: this.#options.cacheBytes, progress: tell });
      },
    );
    try {
      return await orAborted(taken, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new FetchProblem(shownUri(item.uri), error);
    }
  }
}

function attempt<T>(uri: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new FetchProblem(shownUri(uri), error);
  }
}

/** The failure counts, not that it could not be written down. */
function tell(log: SandboxLog | undefined, why: string): void {
  try {
    log?.write(why, "ERROR");
  } catch {
    // A full disk: the task's status has the reason.
  }
}

/** Rejects as soon as the signal is aborted; a file that comes later is given back. */
function orAborted(work: Promise<CachedFile | undefined>, signal: AbortSignal): Promise<CachedFile | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<CachedFile | undefined>();
  const abort = (): void => {
    reject(signal.reason);
    const giveBack = (file: CachedFile | undefined): void => {
      if (file === undefined) return;
      closeSync(file.descriptor);
      file.release();
    };
    work.then(giveBack, () => undefined);
  };
  if (signal.aborted) abort();
  else {
    signal.addEventListener("abort", abort, { once: true });
    work.then(
      (file) => {
        signal.removeEventListener("abort", abort);
        resolve(file);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
    );
  }
  return promise;
}

/** As `mesos-fetcher` shows it, without secrets. */
function infoOf({ sandbox, user, uris }: FetchRequest): string {
  const items = uris.map(({ value, executable, extract, cache, outputFile }) => ({
    uri: { value: shownUri(value), executable, extract, cache, ...(outputFile ? { output_file: outputFile } : {}) },
  }));
  return JSON.stringify({ items, sandbox_directory: sandbox, ...(user === undefined ? {} : { user: user.name }) });
}
