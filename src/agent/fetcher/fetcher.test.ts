import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needRoot } from "../../../test/support/missing.ts";
import { TestClock } from "../../../test/support/test-clock.ts";
import { CommandInfo_URISchema, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { fetchDispatcher } from "./download.ts";
import { Fetcher, type FetcherOptions, type FetchRequest } from "./fetcher.ts";
import { carryOut } from "./fetching.ts";
import { FIRST_CACHED } from "./order.ts";

const environment = { PATH: "/usr/bin:/bin" };
const LENGTH = 100;

let base: string;
let sandbox: string;
let server: Server;
let url: string;
let fetcher: Fetcher;
let asked: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

/** What the process of the task's user does, in the test's own. */
const inThisProcess: NonNullable<FetcherOptions["carryOut"]> = async (order, { descriptors }) => {
  const dispatcher = fetchDispatcher(environment);
  const items = order.items.map((one) => {
    const { cached } = one;
    if (cached === undefined) return one;
    const descriptor = descriptors.cached[cached.descriptor - FIRST_CACHED];
    if (descriptor === undefined) throw new Error("a descriptor that was not handed over");
    return { ...one, cached: { ...cached, descriptor } };
  });
  try {
    const folder = `/proc/self/fd/${descriptors.sandbox}/.`;
    return await carryOut(
      { ...order, items },
      { folder, environment, dispatcher, write: () => undefined, progress: () => undefined },
    );
  } finally {
    await dispatcher.destroy();
  }
};

const openFetcher = (more: Partial<FetcherOptions> = {}): Fetcher =>
  new Fetcher({
    clock: new TestClock(),
    cacheFolder: join(base, "cache"),
    cacheBytes: 10 * LENGTH,
    stallTimeout: 5_000,
    frameworksHome: undefined,
    hadoopHome: undefined,
    environment,
    pid: 4711,
    carryOut: inThisProcess,
    ...more,
  });

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "fetcher-"));
  sandbox = join(base, "sandbox");
  mkdirSync(sandbox);
  asked = [];
  answer = (request, response) => response.end((request.url ?? "").padEnd(LENGTH, "."));
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.method === "HEAD") response.writeHead(200, { "content-length": `${LENGTH}` }).end();
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fetcher = openFetcher();
});
afterEach(async () => {
  await fetcher.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(base, { recursive: true, force: true });
});

type Uri = MessageInitShape<typeof CommandInfo_URISchema>;
let sandboxes = 0;
/** Fetches into a sandbox of its own. Resolves to its path. */
async function fetch(uris: readonly Uri[], more: Partial<FetchRequest> = {}, by = fetcher): Promise<string> {
  const into = more.sandbox ?? join(base, `sandbox-${sandboxes++}`);
  mkdirSync(into, { recursive: true });
  await by.fetch({
    containerId: "c1",
    sandbox: into,
    user: undefined,
    uris: uris.map((uri) => create(CommandInfo_URISchema, uri)),
    signal: new AbortController().signal,
    ...more,
  });
  return into;
}
const cached = (name: string): Uri => ({ value: `${url}/${name}`, cache: true });
const downloads = (): string[] => asked.filter((one) => one.startsWith("GET")).map((one) => one.slice("GET /".length));
const kept = (): string[] => readdirSync(join(base, "cache")).sort();

describe("a fetch", () => {
  it("says in the sandbox what it is asked for, without a password, and counts", async () => {
    await fetch([{ value: `${url.replace("//", "//me:secret@")}/a`, outputFile: "b", cache: false }], { sandbox });
    const stderr = readFileSync(join(sandbox, "stderr"), "utf8");
    expect(stderr).toMatch(
      /^I\d{4} \S+ +4711 fetcher\.ts:0\] Fetcher Info: \{"items":\[\{"uri":\{"value":"http:\/\/me:\*\*\*\*@/,
    );
    expect(stderr).toContain('"output_file":"b"');
    expect(stderr).toContain(`"sandbox_directory":"${sandbox}"`);
    expect(stderr).not.toContain("secret");
    expect(readFileSync(join(sandbox, "b"), "utf8")).toContain("/a");
    expect(fetcher.figures).toMatchObject({ task_fetches_succeeded: 1, task_fetches_failed: 0 });
  });

  it("of nothing is nothing: it makes no files", async () => {
    await fetch([], { sandbox });
    expect(readdirSync(sandbox)).toEqual([]);
    expect(fetcher.figures.task_fetches_succeeded).toBe(0);
  });

  it("that fails is a failed launch that names the URI and why, in the log too", async () => {
    answer = (_request, response) => response.writeHead(404).end("not here");
    const why = `Failed to fetch all URIs for container 'c1': Failed to fetch '${url}/a': Error downloading resource, received HTTP return code 404: not here`;
    await expect(fetch([{ value: `${url}/a` }], { sandbox })).rejects.toMatchObject({
      message: why,
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
    });
    expect(readFileSync(join(sandbox, "stderr"), "utf8")).toMatch(/^E.*Failed to fetch '.*not here/m);
    expect(fetcher.figures).toMatchObject({ task_fetches_succeeded: 0, task_fetches_failed: 1 });
  });

  it("of a URI that makes no sense fails before anything is fetched", async () => {
    await expect(fetch([{ value: `${url}/a` }, { value: "relative" }])).rejects.toThrow(
      /'relative': .*--frameworks_home/,
    );
    expect(asked).toEqual([]);
  });

  it("ends with its container", async () => {
    const abort = new AbortController();
    answer = () => abort.abort(new Error("killed"));
    await expect(fetch([cached("a")], { signal: abort.signal })).rejects.toThrow("killed");
    expect(fetcher.figures.task_fetches_failed).toBe(1);
    await expect(fetch([cached("b")], { signal: AbortSignal.abort(new Error("killed before")) })).rejects.toThrow(
      "killed before",
    );
  });

  it("into something that is no folder fails", async () => {
    writeFileSync(join(base, "file"), "");
    await expect(
      fetcher.fetch({
        containerId: "c1",
        sandbox: join(base, "file"),
        user: undefined,
        uris: [create(CommandInfo_URISchema, { value: `${url}/a` })],
        signal: new AbortController().signal,
      }),
    ).rejects.toThrow(/ENOTDIR/);
  });
});

describe("the cache", () => {
  it("has a file for the next one, each with a copy of its own", async () => {
    const first = await fetch([cached("a")]);
    const second = await fetch([cached("a")]);
    expect(downloads()).toEqual(["a"]);
    writeFileSync(join(first, "a"), "changed");
    expect(readFileSync(join(second, "a"), "utf8")).toContain("/a");
    expect(fetcher.figures).toMatchObject({ cache_size_used_bytes: LENGTH, cache_size_total_bytes: 10 * LENGTH });
    expect(kept()).toEqual(["c1-a"]);
    expect(statSync(join(base, "cache/c1-a")).mode & 0o777, "not to be written, also through a descriptor").toBe(0o444);
  });

  it("downloads once for all who ask at the same time, and tells all of a failure", async () => {
    await Promise.all([fetch([cached("a")]), fetch([cached("a")]), fetch([cached("a")])]);
    expect(downloads()).toEqual(["a"]);
    answer = (_request, response) => response.writeHead(500).end();
    const failures = await Promise.allSettled([fetch([cached("b")]), fetch([cached("b")])]);
    expect(failures.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(downloads()).toEqual(["a", "b"]);
    expect(kept()).toEqual(["c1-a"]);
    answer = (_request, response) => response.end("now");
    await fetch([cached("b")]);
    expect(downloads()).toEqual(["a", "b", "b"]);
  });

  it("makes room: what was used longest ago goes, what is used now stays", async () => {
    const small = openFetcher({ cacheFolder: join(base, "small"), cacheBytes: 2 * LENGTH });
    for (const name of ["a", "b", "a", "c"]) await fetch([cached(name)], {}, small);
    expect(readdirSync(join(base, "small")).sort()).toEqual(["c1-a", "c3-c"]);
    await fetch([cached("b")], {}, small);
    expect(downloads()).toEqual(["a", "b", "c", "b"]);
    expect(small.figures.cache_size_used_bytes).toBe(2 * LENGTH);
    // Three at once do not fit: the third is fetched past the cache.
    const into = await fetch([cached("x"), cached("y"), cached("z")], {}, small);
    expect(readdirSync(into).sort()).toEqual(["stderr", "stdout", "x", "y", "z"]);
    expect(readdirSync(join(base, "small"))).toHaveLength(2);
    await small.close();
  });

  it("hands over 32 files to a process, and the rest to the next", async () => {
    const uris = Array.from({ length: 40 }, (_none, index) => cached(`f${index}`));
    let processes = 0;
    const large = openFetcher({
      cacheFolder: join(base, "large"),
      cacheBytes: 100 * LENGTH,
      carryOut: (order, options) => {
        processes++;
        expect(options.descriptors.cached.length).toBeLessThanOrEqual(32);
        return inThisProcess(order, options);
      },
    });
    const into = await fetch(uris, {}, large);
    expect([processes, readdirSync(into).length]).toEqual([2, 42]);
    await large.close();
  });

  it("is past by when the size is not known, and for a file of this machine", async () => {
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      asked.push(`${request.method} ${request.url}`);
      response.end(request.method === "HEAD" ? undefined : "text");
    });
    await fetch([cached("a")]);
    writeFileSync(join(base, "local"), "");
    await fetch([{ value: join(base, "local"), cache: true }]);
    expect([kept(), downloads()]).toEqual([[], ["a"]]);
  });

  it("is corrected to what came in the end", async () => {
    answer = (_request, response) => response.end("short");
    await fetch([cached("a")]);
    expect(fetcher.figures.cache_size_used_bytes).toBe("short".length);
  });

  it("is filled by no file that is larger than all of it, whatever its server announced", async () => {
    answer = (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", more);
      more();
    };
    await expect(fetch([{ value: `${url}/endless`, cache: true }])).rejects.toThrow(
      `the server sends more than ${10 * LENGTH} bytes, all that the cache has`,
    );
    expect([fetcher.figures.cache_size_used_bytes, readdirSync(join(base, "cache"))]).toEqual([0, []]);
  });

  it("fetches again what somebody removed", async () => {
    await fetch([cached("a")]);
    rmSync(join(base, "cache/c1-a"), { force: true });
    await expect(fetch([cached("a")])).rejects.toThrow(/c1-a|ENOENT/);
    await fetch([cached("a")]);
    expect(downloads()).toEqual(["a", "a"]);
  });

  it("does not end with one of those who wait", async () => {
    const abort = new AbortController();
    const { promise: begun, resolve: begin } = Promise.withResolvers<ServerResponse>();
    answer = (_request, response) => begin(response);
    const killed = expect(fetch([cached("a")], { signal: abort.signal })).rejects.toThrow("killed");
    const other = fetch([cached("a")]);
    const response = await begun;
    abort.abort(new Error("killed"));
    await killed;
    response.end("text".padEnd(LENGTH, "."));
    expect(readdirSync(await other)).toContain("a");
    expect(downloads()).toEqual(["a"]);
  });
});

describe("the folder of the cache", () => {
  const mode = (path: string): number => statSync(path).mode & 0o7777;

  it("is for the agent alone, also when it was open to all; folders above it are passed through", async () => {
    const deep = join(base, "var/lib/cache");
    const one = openFetcher({ cacheFolder: deep });
    expect([mode(deep), mode(join(base, "var/lib"))]).toEqual([0o700, 0o755]);
    chmodSync(deep, 0o777);
    await fetch([cached("a")], {}, one);
    expect(mode(deep)).toBe(0o700);
    await one.close();
  });

  it("loses what an earlier agent left in it, and nothing else", () => {
    mkdirSync(join(base, "old/user"), { recursive: true });
    for (const name of ["c1-a", "note", "user/c2-b", "user/note"]) writeFileSync(join(base, "old", name), "");
    openFetcher({ cacheFolder: join(base, "old") });
    expect(readdirSync(join(base, "old"), { recursive: true }).sort()).toEqual(["note", "user", "user/note"]);
  });

  it.each([
    ["is a link", (path: string) => symlinkSync(base, path), "is a symbolic link"],
    [
      "stands in a folder that others may change",
      (path: string) => chmodSync(join(path, ".."), 0o777),
      "can be written by others",
    ],
    ["is a file", (path: string) => writeFileSync(path, ""), "ENOTDIR"],
  ])("is not used when it %s: nothing is cached, and that is said", async (_name, spoil, why) => {
    mkdirSync(join(base, "above"));
    spoil(join(base, "above/cache"));
    const one = openFetcher({ cacheFolder: join(base, "above/cache") });
    expect(one.cacheTrouble).toContain(why);
    await fetch([cached("a"), cached("a")], {}, one);
    expect(downloads()).toEqual(["a", "a"]);
    await one.close();
  });

  it("may stand in a folder like /tmp, in which everybody removes only their own", () => {
    mkdirSync(join(base, "above"));
    chmodSync(join(base, "above"), 0o1777);
    expect(openFetcher({ cacheFolder: join(base, "above/cache") }).cacheTrouble).toBeUndefined();
  });

  it("belongs to the agent's user", (context) => {
    needRoot(context, "giving files away");
    for (const name of ["cache", "."]) {
      mkdirSync(join(base, "above/cache"), { recursive: true });
      chownSync(join(base, "above", name), 65534, 65534);
      expect(openFetcher({ cacheFolder: join(base, "above/cache") }).cacheTrouble).toContain(
        "belongs to another user (uid 65534)",
      );
      rmSync(join(base, "above"), { recursive: true });
    }
  });

  it("has a folder for each user, whose files no other user gets", async () => {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    const user = (name: string) => ({ name, uid, gid, groups: [gid] });
    await fetch([cached("a")], { user: user("ann") });
    await fetch([cached("a")], { user: user("ben") });
    await fetch([cached("a")], { user: user("ann") });
    expect(downloads()).toEqual(["a", "a"]);
    expect(readdirSync(join(base, "cache"), { recursive: true }).sort()).toEqual([
      "ann",
      "ann/c1-a",
      "ben",
      "ben/c2-a",
    ]);
    expect(mode(join(base, "cache/ann"))).toBe(0o700);
  });
});
