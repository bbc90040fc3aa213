import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Dispatcher } from "undici";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandInfo_URISchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { announcedSize, download, fetchDispatcher } from "./download.ts";
import { carryOut } from "./fetching.ts";
import type { FetchOrder, OrderedItem } from "./order.ts";
import { planFetch } from "./plan.ts";

let base: string;
let sandbox: string;
let server: Server;
let url: string;
let dispatcher: Dispatcher;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let lines: string[];
let progress: (number | undefined)[][];
const environment = { PATH: "/usr/bin:/bin" };

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "fetching-"));
  sandbox = join(base, "sandbox");
  mkdirSync(sandbox);
  lines = [];
  progress = [];
  answer = (_request, response) => response.end("content");
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  dispatcher = fetchDispatcher(environment);
});
afterEach(async () => {
  await dispatcher.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(base, { recursive: true, force: true });
});

type Uri = MessageInitShape<typeof CommandInfo_URISchema>;
const item = (uri: Uri, cached?: OrderedItem["cached"]): OrderedItem => ({
  item: planFetch(create(CommandInfo_URISchema, uri), undefined),
  cached,
});

/** Carries out an order in this process; what it answers. */
const fetch = (items: readonly OrderedItem[], more: Partial<FetchOrder> = {}, variables: Record<string, string> = {}) =>
  carryOut(
    { user: undefined, sandbox: "/shown", items, stallTimeout: 0, hadoopHome: undefined, ...more },
    {
      folder: sandbox,
      environment: { ...environment, ...variables },
      dispatcher,
      progress: (index, bytes, total) => progress.push([index, bytes, total]),
      write: (message, severity) => lines.push(`${severity ?? "INFO"} ${message}`),
    },
  );
const read = (name: string): string => readFileSync(join(sandbox, name), "utf8");
const sh = (script: string) => execFileSync("sh", ["-ec", script], { cwd: base });
/** A file beside the sandbox. */
const source = (name: string, text = "content"): string => {
  writeFileSync(join(base, name), text);
  return join(base, name);
};

describe("a file", () => {
  it("is copied under its own name, or as it is asked for, with the reasons in the log", async () => {
    expect(await fetch([item({ value: source("a") }), item({ value: source("b"), outputFile: "deep/c" })])).toEqual({
      kind: "done",
    });
    expect([read("a"), read("deep/c")]).toEqual(["content", "content"]);
    expect(lines).toContain(`INFO Copying resource with command:cp '${base}/a' '/shown/a'`);
    expect(lines.at(-1)).toBe(`INFO Fetched '${base}/b' to '/shown/deep/c'`);
  });

  it("that is a program can be run", async () => {
    await fetch([item({ value: source("program.gz"), executable: true }), item({ value: source("plain") })]);
    expect(statSync(join(sandbox, "program.gz")).mode & 0o777).toBe(0o755);
    expect(statSync(join(sandbox, "plain")).mode & 0o111).toBe(0);
  });

  it("that is missing fails with the program's words, and what comes behind it is not fetched", async () => {
    const outcome = await fetch([item({ value: join(base, "none") }), item({ value: source("a") })]);
    expect(outcome).toMatchObject({
      kind: "failed",
      uri: join(base, "none"),
      why: expect.stringContaining("'cp' exited with status 1"),
    });
    expect(outcome).toMatchObject({ why: expect.stringContaining("No such file") });
    expect(existsSync(join(sandbox, "a"))).toBe(false);
  });
});

describe("an archive", () => {
  beforeEach(() => {
    sh("mkdir in; echo one > in/one; echo two > in/two; gzip -k in/two; tar -cf a.tar in; tar -czf a.tgz in");
  });

  it.each([["a.tar"], ["a.tgz"]])("%s is unpacked beside itself", async (name) => {
    expect(await fetch([item({ value: join(base, name) })])).toEqual({ kind: "done" });
    expect([read("in/one"), read("in/two")]).toEqual(["one\n", "two\n"]);
    expect(readdirSync(sandbox).sort()).toEqual([name, "in"].sort());
    expect(lines).toContain(`INFO Extracting with command: tar -C /shown -xf /shown/${name}`);
    expect(lines).toContain(`INFO Extracted '/shown/${name}' into '/shown'`);
  });

  it("of one compressed file becomes that file, also where it is put", async () => {
    await fetch([
      item({ value: join(base, "in/two.gz") }),
      item({ value: join(base, "in/two.gz"), outputFile: "deep/x.gz" }),
    ]);
    expect([read("two"), read("deep/x")]).toEqual(["two\n", "two\n"]);
    expect(readdirSync(sandbox).sort()).toEqual(["deep", "two", "two.gz"]);
  });

  it("compressed by zstd needs no program of that name", async () => {
    writeFileSync(join(base, "a.tar.zst"), zstdCompressSync(readFileSync(join(base, "a.tar"))));
    expect(await fetch([item({ value: join(base, "a.tar.zst") })])).toEqual({ kind: "done" });
    expect([read("in/one"), read("in/two")]).toEqual(["one\n", "two\n"]);
    const broken = source("b.tar.zst", "no archive");
    expect(await fetch([item({ value: broken })])).toMatchObject({ kind: "failed", uri: broken });
  });

  it("that was to be cached, and could not, is not kept beside what was in it", async () => {
    await fetch([item({ value: join(base, "a.tar"), cache: true })]);
    expect(readdirSync(sandbox)).toEqual(["in"]);
    expect(lines).toContain("WARNING Not cached: only what comes by HTTP is");
  });

  it("stays as it is when that is asked for", async () => {
    await fetch([item({ value: join(base, "a.tar"), extract: false })]);
    expect(readdirSync(sandbox)).toEqual(["a.tar"]);
  });

  it("with names that leave the sandbox is refused before anything is unpacked", async () => {
    sh("tar -cPf evil.tar --transform 's,^in,../in,' in");
    const outcome = await fetch([item({ value: join(base, "evil.tar") })]);
    expect(outcome).toMatchObject({ kind: "failed", why: expect.stringContaining("leads out of the sandbox") });
    expect(readdirSync(sandbox)).toEqual(["evil.tar"]);
  });

  it("that is none leaves nothing but itself", async () => {
    const outcome = await fetch([item({ value: source("b.tar", "no archive") })]);
    expect(outcome).toMatchObject({ kind: "failed", why: expect.stringContaining("'tar' exited with status 2") });
    expect(readdirSync(sandbox)).toEqual(["b.tar"]);
  });
});

describe("what the cache has", () => {
  /** A descriptor of a file beside the sandbox, for `use`. */
  async function handed(name: string, use: (descriptor: number) => Promise<unknown>): Promise<void> {
    const descriptor = openSync(join(base, name), "r");
    try {
      await use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  it("is copied from its descriptor, whatever became of its name", async () => {
    chmodSync(source("kept"), 0o444);
    await handed("kept", async (descriptor) => {
      rmSync(join(base, "kept"));
      await fetch([
        item({ value: `${url}/x`, cache: true, executable: true }, { descriptor, shown: "/cache/c1", fresh: true }),
      ]);
    });
    expect([read("x"), statSync(join(sandbox, "x")).mode & 0o777]).toEqual(["content", 0o755]);
    expect(lines).toContain("INFO Downloaded into cache");
  });

  it("is unpacked without a copy of the archive", async () => {
    sh("echo one > one; tar -cf a.tar one");
    await handed("a.tar", async (descriptor) => {
      const outcome = await fetch([
        item({ value: `${url}/a.tar`, cache: true }, { descriptor, shown: "/cache/c1", fresh: false }),
      ]);
      expect(outcome).toEqual({ kind: "done" });
    });
    expect(readdirSync(sandbox)).toEqual(["one"]);
    expect(lines).toContain("INFO Fetching from cache");
  });

  it("and what it has not is fetched past it, which is said", async () => {
    await fetch([item({ value: `${url}/x`, cache: true }), item({ value: `${url}/y` })]);
    expect(lines.filter((line) => line.startsWith("WARNING"))).toEqual([
      "WARNING Not cached: its size is unknown, or there is no room in the cache",
    ]);
  });
});

describe("a Hadoop client", () => {
  /** One that writes down what it is asked, and copies what it is told to. */
  const client = (folder: string, first = ""): string => {
    mkdirSync(join(base, folder, "bin"), { recursive: true });
    const path = join(base, folder, "bin/hadoop");
    writeFileSync(path, `#!/bin/sh\necho "$@" >> ${base}/asked\n${first}\n[ "$1" = version ] || echo data > "$4"\n`);
    chmodSync(path, 0o755);
    return join(base, folder);
  };

  it("of --hadoop_home is asked first whether it works, then for the file", async () => {
    const hadoopHome = client("home");
    expect(await fetch([item({ value: "hdfs://h/file" })], { hadoopHome })).toEqual({ kind: "done" });
    expect(read("file")).toBe("data\n");
    expect(readFileSync(join(base, "asked"), "utf8")).toBe("version\nfs -copyToLocal hdfs://h/file ./file\n");
    expect(lines).toContain("INFO Downloading resource with Hadoop client from 'hdfs://h/file' to '/shown/file'");
  });

  it("of HADOOP_HOME, else of PATH", async () => {
    const home = client("home");
    expect(await fetch([item({ value: "hdfs://h/a" })], {}, { HADOOP_HOME: home })).toEqual({ kind: "done" });
    expect(await fetch([item({ value: "hdfs://h/b" })], {}, { PATH: `${home}/bin:${environment.PATH}` })).toEqual({
      kind: "done",
    });
  });

  it("that does not work, or is not there, is named", async () => {
    const hadoopHome = client("broken", "echo no Java >&2; exit 3");
    expect(await fetch([item({ value: "hdfs://h/a" })], { hadoopHome })).toMatchObject({
      uri: "hdfs://h/a",
      why: expect.stringMatching(/^Failed to create HDFS client: .*hadoop' exited with status 3: no Java$/),
    });
    expect(await fetch([item({ value: "hdfs://h/a" })], { hadoopHome: "/none" })).toMatchObject({
      why: "Failed to create HDFS client: the program '/none/bin/hadoop' is not installed on this agent",
    });
  });
});

describe("a download", () => {
  const options = () => ({ dispatcher, stallTimeout: 5_000 });
  const target = () => join(sandbox, "x");

  it("follows redirects, and shows no password", async () => {
    answer = (request, response) => {
      if (request.url === "/there") response.end(request.headers["user-agent"]);
      else response.writeHead(302, { location: "/there" }).end();
    };
    expect(await fetch([item({ value: `${url.replace("//", "//me:secret@")}/x` })])).toEqual({ kind: "done" });
    expect(read("x")).toBe("mesos-slave");
    expect(lines.join("\n")).not.toContain("secret");
    expect(progress.at(-1)?.[0], "of the first URI").toBe(0);
    expect(lines).toContain(`INFO Downloading resource from '${url.replace("//", "//me:****@")}/x' to '/shown/x'`);
  });

  it("sends user and password of the URL, decoded, as a header; none without", async () => {
    const seen: unknown[] = [];
    answer = (request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    };
    const of = (who: string): string => `${url.replace("//", `//${who}`)}/x`;
    for (const who of ["me:p%40ss@", "me@", ":pw@", ""]) {
      await download(of(who), target(), options());
      rmSync(target());
    }
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
    expect(seen).toEqual([basic("me:p@ss"), basic("me:"), basic(":pw"), undefined]);
  });

  it("fails with the status and the server's own words, without markup and not at any length", async () => {
    answer = (_request, response) =>
      response.writeHead(403).end(`<h1>quota</h1>\n  <p>used up</p> ${"x".repeat(5_000)}`);
    const error = await download(`${url}/x`, target(), options()).catch((failure: Error) => failure.message);
    expect(error).toMatch(/^Error downloading resource, received HTTP return code 403: quota used up x+$/);
    expect(String(error).length).toBeLessThan(300);
    answer = (_request, response) => response.writeHead(404).end();
    await expect(download(`${url}/x`, target(), options())).rejects.toThrow(/code 404$/);
    answer = (_request, response) => response.writeHead(204).end();
    await expect(download(`${url}/x`, target(), options()), "nothing is no file").rejects.toThrow(/code 204$/);
  });

  it("has the mode that is asked for, and replaces no file", async () => {
    await download(`${url}/x`, target(), { ...options(), mode: 0o444 });
    expect(statSync(target()).mode & 0o777).toBe(0o444);
    await expect(download(`${url}/x`, target(), options())).rejects.toThrow(/EEXIST|exists/i);
  });

  it("that does not fit on the disk is not begun", async () => {
    answer = (_request, response) => response.writeHead(200, { "content-length": "900000000000000" }).flushHeaders();
    await expect(download(`${url}/x`, target(), options())).rejects.toThrow(
      /^the resource has 900000000000000 bytes, but only \d+ are free on the disk of the sandbox$/,
    );
    expect(existsSync(target())).toBe(false);
  });

  it("is given up when the server sends nothing, or stops in the middle", async () => {
    answer = (request, response) => {
      if (request.url === "/nothing") return;
      response.writeHead(200, { "content-length": "100" });
      response.write("begin");
    };
    const stalled = ["nothing", "middle"].map((name) =>
      expect(download(`${url}/${name}`, join(sandbox, name), { dispatcher, stallTimeout: 50 })).rejects.toThrow(
        "the server sent nothing for 0.05 s",
      ),
    );
    await Promise.all(stalled);
  });

  it("says why nobody answers", async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(download(`${url}/x`, target(), options())).rejects.toThrow(/refused/i);
    await expect(announcedSize(`${url}/x`, options())).rejects.toThrow(/refused/i);
  });

  it("may be asked how large it is; a server that does not say it well does not say it", async () => {
    const asked: (string | undefined)[] = [];
    const size = async (status: number, length: string): Promise<number | undefined> => {
      answer = (request, response) => {
        asked.push(request.method);
        response.writeHead(status, length === "" ? {} : { "content-length": length }).end();
      };
      return await announcedSize(`${url}/x`, options());
    };
    expect(await size(200, "1234")).toBe(1234);
    expect(await size(200, "0")).toBeUndefined();
    expect(await size(200, "")).toBeUndefined();
    expect(await size(404, "1234")).toBeUndefined();
    expect(new Set(asked)).toEqual(new Set(["HEAD"]));
  });
});

describe("proxies of the environment", () => {
  /** What a server at `name` is asked by when it stands behind the proxy. */
  const asked = async (variables: Record<string, string>): Promise<string[]> => {
    const seen: string[] = [];
    answer = (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.end();
    };
    server.removeAllListeners("connect");
    server.on("connect", (request, socket) => {
      seen.push(`CONNECT ${request.url}`);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    });
    const proxied = fetchDispatcher(variables);
    try {
      await download(`${url.replace("127.0.0.1", "localhost")}/x`, join(sandbox, "x"), {
        dispatcher: proxied,
        stallTimeout: 5_000,
      });
    } finally {
      await proxied.destroy();
      rmSync(join(sandbox, "x"), { force: true });
    }
    return seen;
  };

  it("hold, but HTTP_PROXY in capitals, and but for who is excepted", async () => {
    const through = (await asked({ http_proxy: url })).join();
    expect(through).toMatch(/^(CONNECT localhost:\d+|GET http:\/\/localhost:\d+\/x)/);
    for (const direct of [
      {},
      { HTTP_PROXY: "http://127.0.0.1:9" },
      { http_proxy: "http://127.0.0.1:9", no_proxy: "localhost" },
      { http_proxy: "http://127.0.0.1:9", NO_PROXY: "localhost" },
    ])
      expect(await asked(direct)).toEqual(["GET /x"]);
  });
});
