import { constants } from "node:fs";
import { appendFile, chown, open } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Dispatcher } from "undici";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { formatLine, type Severity } from "../../base/glog-line.ts";
import type { CommandInfo_URI } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { TaskFailure } from "../model/failure.ts";
import { FetchCache } from "./cache.ts";
import { type FetchUser, runCommand } from "./command.ts";
import { announcedSize, download, fetchDispatcher } from "./download.ts";
import { copyWhole, finishFile, preparePlace } from "./place.ts";
import { type FetchItem, planFetch, shownUri } from "./plan.ts";
import { unpack, unpackCommand } from "./unpack.ts";

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
}

/** One container's fetch. */
export interface FetchRequest {
  readonly containerId: string;
  readonly sandbox: string;
  readonly user: FetchUser | undefined;
  readonly uris: readonly CommandInfo_URI[];
  readonly signal: AbortSignal;
}

/** Figures for /metrics/snapshot. */
export interface FetcherFigures {
  readonly task_fetches_succeeded: number;
  readonly task_fetches_failed: number;
  readonly cache_size_total_bytes: number;
  readonly cache_size_used_bytes: number;
}

type Write = (message: string, severity?: Severity) => Promise<void>;

/** Milliseconds for `hadoop version`, which only has to start a Java program. */
const HADOOP_PROBE = 60_000;

/** Brings what a task names into its sandbox before it starts (mesos-agent-behaviour §6). */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #cache: FetchCache;
  readonly #dispatcher: Dispatcher;
  #succeeded = 0;
  #failed = 0;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#cache = new FetchCache(options.cacheFolder, options.cacheBytes);
    this.#dispatcher = options.dispatcher ?? fetchDispatcher(options.environment);
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
    const { uris, sandbox, user, containerId, signal } = request;
    if (uris.length === 0) return;
    for (const name of ["stdout", "stderr"]) await truncate(join(sandbox, name), user);
    const write: Write = async (message, severity = "INFO") => {
      const time = this.#options.clock.now();
      const line = { severity, time, threadId: this.#options.pid, source: "fetcher.ts", line: 0, message };
      await appendFile(join(sandbox, "stderr"), formatLine(line));
    };
    await write(`Fetcher Info: ${infoOf(request)}`);
    for (const uri of uris) {
      try {
        await this.#fetchOne(planFetch(uri, this.#options.frameworksHome), request, write);
      } catch (error) {
        this.#failed++;
        if (signal.aborted) throw signal.reason;
        const why = `Failed to fetch '${shownUri(uri.value)}': ${messageOf(error)}`;
        await write(why, "ERROR").catch(() => undefined);
        throw TaskFailure.launch(`Failed to fetch all URIs for container '${containerId}': ${why}`, { cause: error });
      }
    }
    this.#succeeded++;
  }

  async #fetchOne(item: FetchItem, request: FetchRequest, write: Write): Promise<void> {
    const { sandbox, user } = request;
    await write(`Fetching URI '${shownUri(item.uri)}'`);
    const path = await preparePlace(sandbox, item.destination, user);
    if (!(item.cache && (await this.#fromCache(item, path, request, write)))) {
      if (item.cache) await write("Not cached: its size is unknown, or there is no room in the cache", "WARNING");
      await write("Fetching directly into the sandbox directory");
      await this.#bring(item, path, request, write);
      await finishFile(path, item.executable, user);
      await this.#unpack(item, path, request, write);
    }
    await write(`Fetched '${shownUri(item.uri)}' to '${path}'`);
  }

  async #fromCache(item: FetchItem, path: string, request: FetchRequest, write: Write): Promise<boolean> {
    const { user, signal } = request;
    // A local file is as near as its copy, and the user's rights to read it are asked each time.
    if (item.source.kind !== "http") return false;
    const { url } = item.source;
    const options = { dispatcher: this.#dispatcher, signal, stallTimeout: this.#options.stallTimeout };
    const about = { uri: item.uri, basename: basename(item.destination), user };
    // A download that others wait for, too, does not end with this container's.
    const shared = { ...options, signal: new AbortController().signal };
    const cached = this.#cache.with(
      about,
      () => announcedSize(url, options).catch(() => undefined),
      async (cached) => {
        await write("Downloading into cache");
        await download(url, cached, shared);
      },
      async (cached, fresh) => {
        signal.throwIfAborted();
        if (!fresh) await write("Fetching from cache");
        if (item.unpacking === "none") {
          await copyWhole(cached, path);
          await finishFile(path, item.executable, user);
        } else await this.#unpack(item, cached, request, write);
      },
    );
    return await orAborted(cached, signal);
  }

  async #bring(item: FetchItem, path: string, request: FetchRequest, write: Write): Promise<void> {
    const { sandbox, signal, user } = request;
    const { environment, stallTimeout } = this.#options;
    const options = { user, environment, cwd: sandbox, signal };
    const { source } = item;
    if (source.kind === "http") {
      await write(`Downloading resource from '${shownUri(source.url)}' to '${path}'`);
      await download(source.url, path, { dispatcher: this.#dispatcher, signal, stallTimeout });
    } else if (source.kind === "ftp") {
      await write(`Downloading resource from '${shownUri(source.url)}' to '${path}'`);
      const stall = stallTimeout > 0 ? ["--speed-limit", "1", "--speed-time", `${Math.ceil(stallTimeout / 1000)}`] : [];
      await runCommand(["curl", "-sSfL", ...stall, "-o", path, "--", source.url], options);
    } else if (source.kind === "file") {
      await write(`Copying resource with command:cp '${source.path}' '${path}'`);
      await runCommand(["cp", "--", source.path, path], options);
    } else await this.#hadoop(source.url, path, options, write);
  }

  async #hadoop(url: string, path: string, options: Parameters<typeof runCommand>[1], write: Write): Promise<void> {
    const home = this.#options.hadoopHome ?? this.#options.environment["HADOOP_HOME"];
    const client = home ? join(home, "bin", "hadoop") : "hadoop";
    try {
      await runCommand([client, "version"], { ...options, timeout: HADOOP_PROBE });
    } catch (error) {
      options.signal.throwIfAborted();
      throw new Error(`Failed to create HDFS client: ${messageOf(error)}`, { cause: error });
    }
    await write(`Downloading resource with Hadoop client from '${url}' to '${path}'`);
    await runCommand([client, "fs", "-copyToLocal", url, path], options);
  }

  async #unpack(item: FetchItem, archive: string, request: FetchRequest, write: Write): Promise<void> {
    if (item.unpacking === "none") return;
    const { sandbox, user, signal } = request;
    await write(`Extracting with command: ${unpackCommand(item.unpacking, archive, sandbox).join(" ")}`);
    const options = { environment: this.#options.environment, signal };
    await unpack(item.unpacking, archive, item.destination, sandbox, user, options);
    await write(`Extracted '${archive}' into '${sandbox}'`);
  }
}

/** Rejects as soon as the signal is aborted; what `work` does then is nobody's business any more. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}

/** As `mesos-fetcher` shows it, without secrets. */
function infoOf({ sandbox, user, uris }: FetchRequest): string {
  const items = uris.map(({ value, executable, extract, cache, outputFile }) => ({
    uri: { value: shownUri(value), executable, extract, cache, ...(outputFile ? { output_file: outputFile } : {}) },
  }));
  return JSON.stringify({ items, sandbox_directory: sandbox, ...(user === undefined ? {} : { user: user.name }) });
}

/** Empties or makes the file; everything later appends. A link is not followed. */
async function truncate(path: string, user: FetchUser | undefined): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o644);
  await file.close();
  if (user !== undefined) await chown(path, user.uid, user.gid);
}
