import { join } from "node:path";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { messageOf } from "../../base/errors.ts";
import { runCommand } from "./command.ts";
import { download } from "./download.ts";
import type { FetchOrder, FetchOutcome, OrderedItem } from "./order.ts";
import { copyWhole, finishFile, preparePlace } from "./place.ts";
import { shownUri, wordsWithoutPassword } from "./plan.ts";
import { HANDED, unpack, unpackCommand } from "./unpack.ts";

/** What the process that fetches works with. */
export interface FetchingTools {
  /** The sandbox. The process stands in it, as the task's user: "." */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  /** A line in the sandbox's stderr. Throws when it cannot be written. */
  readonly write: (message: string, severity?: "WARNING" | "ERROR") => void;
  /** How far the item at `index` is; often. */
  readonly progress: (index: number, bytes: number, totalBytes: number | undefined) => void;
}

/** Of the agent's own way out. curl asks for none of them where it fetches by FTP. */
const PROXIES = /^(https?|no)_proxy$/i;

/**
 * For programs that the task's user could look at: what is in their environment is in /proc for every process of that user,
 * and a proxy may have a password. This process, whose rights were once greater, shows its own to nobody.
 */
const withoutProxies = (environment: FetchingTools["environment"]): FetchingTools["environment"] =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !PROXIES.test(name)));

/** Milliseconds for `hadoop version`, which only has to start a Java program. */
const HADOOP_PROBE = 60_000;

/** Does the whole order, one URI after the other (mesos-agent-behaviour §6). */
export async function carryOut(order: FetchOrder, tools: FetchingTools): Promise<FetchOutcome> {
  for (const [index, ordered] of order.items.entries()) {
    try {
      tools.progress(index, 0, undefined);
      await fetchOne(ordered, order, tools);
    } catch (error) {
      const { uri } = ordered.item;
      return { kind: "failed", uri: shownUri(uri), why: wordsWithoutPassword(messageOf(error), uri) };
    }
  }
  return { kind: "done" };
}

async function fetchOne(ordered: OrderedItem, order: FetchOrder, tools: FetchingTools): Promise<void> {
  const { item, cached } = ordered;
  const { write, folder } = tools;
  const path = join(order.sandbox, item.destination);
  write(`Fetching URI '${shownUri(item.uri)}'`);
  await preparePlace(folder, item.destination);
  if (cached !== undefined) await takeCached(ordered, cached, order, tools);
  else {
    if (item.cache) write(notCached(item), "WARNING");
    write("Fetching directly into the sandbox directory");
    await bring(ordered, path, order, tools);
    await finishFile(join(folder, item.destination), item.executable);
    await unpackItem(ordered, { path: `./${item.destination}`, descriptor: undefined, shown: path }, order, tools);
  }
  write(`Fetched '${shownUri(item.uri)}' to '${path}'`);
}

const notCached = ({ source }: OrderedItem["item"]): string =>
  source.kind === "http"
    ? "Not cached: its size is unknown, or there is no room in the cache"
    : "Not cached: only what comes by HTTP is";

async function takeCached(
  ordered: OrderedItem,
  { descriptor, shown, fresh }: NonNullable<OrderedItem["cached"]>,
  order: FetchOrder,
  tools: FetchingTools,
): Promise<void> {
  const { item } = ordered;
  tools.write(fresh ? "Downloaded into cache" : "Fetching from cache");
  if (item.unpacking !== "none") return await unpackItem(ordered, { path: HANDED, descriptor, shown }, order, tools);
  const to = join(tools.folder, item.destination);
  await copyWhole(`/proc/self/fd/${descriptor}`, to);
  await finishFile(to, item.executable);
}

async function bring(ordered: OrderedItem, shown: string, order: FetchOrder, tools: FetchingTools): Promise<void> {
  const { item } = ordered;
  const { folder, dispatcher, write } = tools;
  const environment = withoutProxies(tools.environment);
  const { stallTimeout } = order;
  const { source, destination } = item;
  const path = `./${destination}`;
  if (source.kind === "http") {
    write(`Downloading resource from '${shownUri(source.url)}' to '${shown}'`);
    const index = order.items.indexOf(ordered);
    const progress = (bytes: number, total: number | undefined): void => tools.progress(index, bytes, total);
    await download(source.url, join(folder, destination), { dispatcher, stallTimeout, progress });
  } else if (source.kind === "ftp") {
    write(`Downloading resource from '${shownUri(source.url)}' to '${shown}'`);
    const stall = stallTimeout > 0 ? ["--speed-limit", "1", "--speed-time", `${Math.ceil(stallTimeout / 1000)}`] : [];
    // On its stdin, not in its arguments: a password in it would stand in every process list. No configuration of a home
    // folder (-q); brackets are part of the name (-g).
    const input = Readable.from([`url = "${source.url.replaceAll('"', '\\"')}"\n`]);
    await runCommand(["curl", "-q", "-sSfLg", ...stall, "-o", path, "-K", "-"], { environment, folder, input });
  } else if (source.kind === "file") {
    write(`Copying resource with command:cp '${source.path}' '${shown}'`);
    await runCommand(["cp", "--", source.path, path], { environment, folder });
  } else await bringByHadoop(source.url, { path, shown }, order, tools);
}

async function bringByHadoop(
  url: string,
  { path, shown }: { readonly path: string; readonly shown: string },
  { hadoopHome }: FetchOrder,
  { environment, folder, write }: FetchingTools,
): Promise<void> {
  const home = hadoopHome ?? environment["HADOOP_HOME"];
  const client = home ? join(home, "bin", "hadoop") : "hadoop";
  try {
    await runCommand([client, "version"], { environment, folder, timeout: HADOOP_PROBE });
  } catch (error) {
    throw new Error(`Failed to create HDFS client: ${messageOf(error)}`, { cause: error });
  }
  write(`Downloading resource with Hadoop client from '${shownUri(url)}' to '${shown}'`);
  await runCommand([client, "fs", "-copyToLocal", url, path], { environment, folder });
}

async function unpackItem(
  { item }: OrderedItem,
  archive: { readonly path: string; readonly descriptor: number | undefined; readonly shown: string },
  { sandbox }: FetchOrder,
  { environment, folder, write }: FetchingTools,
): Promise<void> {
  const { unpacking, destination: name } = item;
  if (unpacking === "none") return;
  const single = name.replace(/\.gz$/, "");
  write(`Extracting with command: ${unpackCommand(unpacking, archive.shown, sandbox, single).join(" ")}`);
  // The cache takes neither a local file nor one that is too large: what was asked of it is the same.
  const keep = archive.descriptor !== undefined || !item.cache;
  const how = { environment: withoutProxies(environment), folder };
  await unpack({ unpacking, name, path: archive.path, descriptor: archive.descriptor, keep }, how);
  write(`Extracted '${archive.shown}' into '${sandbox}'`);
}
