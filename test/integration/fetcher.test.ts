import { execFileSync } from "node:child_process";
import {
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
import { afterEach, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { Fetcher, type FetcherOptions } from "../../src/agent/fetcher/fetcher.ts";
import type { FetchUser } from "../../src/agent/fetcher/order.ts";
import type { FetchProgress } from "../../src/agent/model/container.ts";
import { systemClock } from "../../src/base/clock.ts";
import { CommandInfo_URISchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { needRoot } from "../support/missing.ts";

let folder: string;
let sandbox: string;
let server: Server;
let base: string;
let fetcher: Fetcher;
const requests: string[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

const openFetcher = (more: Partial<FetcherOptions> = {}) =>
  new Fetcher({
    clock: systemClock,
    cacheFolder: join(folder, "cache"),
    cacheBytes: 1000,
    stallTimeout: 5000,
    frameworksHome: undefined,
    hadoopHome: undefined,
    environment: { PATH: process.env["PATH"] ?? "" },
    pid: process.pid,
    ...more,
  });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fetcher-"));
  execFileSync("chmod", ["755", folder]);
  sandbox = join(folder, "sandbox");
  mkdirSync(sandbox);
  requests.splice(0);
  answer = (_request, response) => response.end("content");
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fetcher = openFetcher();
});
afterEach(async () => {
  await fetcher.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

type Uri = MessageInitShape<typeof CommandInfo_URISchema>;
const fetchInto = (into: string, uris: readonly Uri[], user?: FetchUser, using = fetcher) =>
  using.fetch({
    containerId: "c1",
    sandbox: into,
    user,
    uris: uris.map((uri) => create(CommandInfo_URISchema, uri)),
    signal: new AbortController().signal,
  });
const get = (...uris: Uri[]) => fetchInto(sandbox, uris);
const read = (name: string) => readFileSync(join(sandbox, name), "utf8");
/** `$zstd FROM TO` compresses: the machine need not have the program. */
const ZSTD = `zstd() { ${process.execPath} -e 'fs.writeFileSync(process.argv[2], zlib.zstdCompressSync(fs.readFileSync(process.argv[1])))' "$@"; }; zstd=zstd; `;
const sh = (script: string) => execFileSync("sh", ["-ec", ZSTD + script], { cwd: folder });

function nobody(context: TestContext): FetchUser {
  needRoot(context, "switching users");
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" })));
  return { name: "nobody", uid: uid ?? 0, gid: gid ?? 0, groups: [gid ?? 0] };
}

describe("http", () => {
  it("follows redirects and says in stderr what it does", async () => {
    writeFileSync(join(sandbox, "stderr"), "old");
    answer = (request, response) => {
      if (request.url === "/there") response.end("arrived");
      else response.writeHead(302, { location: "/there" }).end();
    };
    await get({ value: `${base}/file.txt` });
    expect(read("file.txt")).toBe("arrived");
    expect(read("stderr")).toMatch(/^I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ fetcher\S+ Fetcher Info: \{/);
    expect(read("stderr")).toContain(`Fetching URI '${base}/file.txt'`);
    expect(read("stderr")).toContain(`Fetched '${base}/file.txt' to '${join(sandbox, "file.txt")}'`);
    expect(fetcher.figures.task_fetches_succeeded).toBe(1);
  });

  it("tells how far it is, of files to be cached, too", async () => {
    const told: FetchProgress[] = [];
    answer = (request, response) => {
      response.setHeader("content-length", 400);
      response.end(request.method === "HEAD" ? undefined : "x".repeat(400));
    };
    const uris = [{ value: `${base}/one` }, { value: `${base}/two`, cache: true }];
    await fetcher.fetch({
      ...{ containerId: "c1", sandbox, user: undefined, signal: new AbortController().signal },
      uris: uris.map((uri) => create(CommandInfo_URISchema, uri)),
      progress: (one) => void told.push(one),
    });
    expect(told).toContainEqual({ uri: `${base}/one`, number: 1, count: 2, bytes: 0, totalBytes: undefined });
    expect(told).toContainEqual({ uri: `${base}/two`, number: 2, count: 2, bytes: 400, totalBytes: 400 });
  });

  it("fails with the status and the server's own words", async () => {
    answer = (_request, response) => response.writeHead(403).end("<h1>quota used up</h1>");
    await expect(get({ value: `${base}/x` })).rejects.toThrow(
      `Failed to fetch all URIs for container 'c1': Failed to fetch '${base}/x': Error downloading resource, received HTTP return code 403: quota used up`,
    );
    expect(read("stderr")).toContain("quota used up");
    expect(fetcher.figures.task_fetches_failed).toBe(1);
  });

  it("gives up on a server that stalls", async () => {
    const impatient = openFetcher({ stallTimeout: 300 });
    answer = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("begin");
    };
    await expect(fetchInto(sandbox, [{ value: `${base}/x` }], undefined, impatient)).rejects.toThrow(
      "sent nothing for 0.3 s",
    );
    await impatient.close();
  });

  it("sends user and password of the URL, and shows no password", async () => {
    answer = (request, response) => response.end(request.headers.authorization);
    await get({ value: `${base.replace("//", "//me:secret@")}/x` });
    expect(read("x")).toBe(`Basic ${Buffer.from("me:secret").toString("base64")}`);
    expect(read("stderr")).not.toContain("secret");
  });

  it("goes through the proxy of the environment", async () => {
    const asked: string[] = [];
    answer = (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end("by proxy");
    };
    server.on("connect", (request, socket) => {
      asked.push(`CONNECT ${request.url}`);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once("data", () =>
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nby proxy"),
      );
    });
    const proxied = openFetcher({ environment: { PATH: process.env["PATH"] ?? "", http_proxy: base } });
    await fetchInto(sandbox, [{ value: "http://mesos.invalid/x" }], undefined, proxied);
    expect(read("x")).toBe("by proxy");
    expect(asked.join()).toContain("mesos.invalid");
    await proxied.close();
  });

  it("keeps a compressed body as it is", async () => {
    sh("echo hello > plain; gzip plain");
    const body = readFileSync(join(folder, "plain.gz"));
    answer = (_request, response) => response.setHeader("content-encoding", "gzip").end(body);
    await get({ value: `${base}/plain.gz`, extract: false });
    expect(readFileSync(join(sandbox, "plain.gz")).equals(body)).toBe(true);
  });
});

describe("archives", () => {
  it.each([
    ["tar -czf a.tgz tree", "a.tgz"],
    ["tar -cjf a.tar.bz2 tree", "a.tar.bz2"],
    ["tar -cJf a.txz tree", "a.txz"],
    ["tar -cf a.tar tree", "a.tar"],
    ["tar -cf a.tar tree; $zstd a.tar a.tar.zst", "a.tar.zst"],
    ["tar -cf a.tar tree; $zstd a.tar a.tzst", "a.tzst"],
    ["zip -qr a.zip tree", "a.zip"],
  ])("%s", async (command, name) => {
    sh(`mkdir -p tree/deep; echo one > tree/deep/file; ln -s deep/file tree/link; ${command}`);
    mkdirSync(join(sandbox, "tree"));
    writeFileSync(join(sandbox, "tree/kept"), "kept");
    await get({ value: join(folder, name) });
    expect(read("tree/deep/file")).toBe("one\n");
    expect(read("tree/kept")).toBe("kept");
    expect(readdirSync(sandbox).toSorted()).toEqual([name, "stderr", "stdout", "tree"]);
  });

  it.each(["tgz", "tar.zst", "zip", "gz"])("to be cached leave only what was in them: %s", async (kind) => {
    sh("mkdir tree; echo one > tree/file; echo plain > a; echo its namesake > tree/a");
    sh("tar -czf a.tgz tree; tar -cf a.tar tree; $zstd a.tar a.tar.zst; zip -qr a.zip tree; gzip a");
    await get({ value: join(folder, `a.${kind}`), cache: true });
    expect(readdirSync(sandbox).toSorted()).toEqual([kind === "gz" ? "a" : "tree", "stderr", "stdout"].toSorted());
  });

  it("from the cache leave only what was in them, be it of their own name", async () => {
    sh("echo inner > a.tgz; tar -czf b.tgz a.tgz");
    const body = readFileSync(join(folder, "b.tgz"));
    answer = (_request, response) => response.setHeader("content-length", body.length).end(body);
    for (const value of [`${base}/a.tgz`, join(folder, "again/a.tgz")]) {
      sh("mkdir -p again; cp b.tgz again/a.tgz");
      await get({ value, cache: true });
      expect(read("a.tgz")).toBe("inner\n");
      expect(readdirSync(sandbox).toSorted()).toEqual(["a.tgz", "stderr", "stdout"]);
      expect(read("stderr")).toContain(value.startsWith("http") ? "Downloaded into cache" : "Not cached");
    }
  });

  it("of zstd that are broken say so, and leave nothing", async () => {
    sh(
      "mkdir tree; head -c 300000 /dev/urandom > tree/file; tar -cf a.tar tree; $zstd a.tar a; head -c 100000 a > a.tar.zst",
    );
    writeFileSync(join(folder, "b.tar.zst"), "no archive at all");
    for (const name of ["a.tar.zst", "b.tar.zst"]) {
      await expect(get({ value: join(folder, name) })).rejects.toThrow(/Failed to fetch '.*': ./);
      expect(readdirSync(sandbox).filter((entry) => entry.startsWith(".fetch"))).toEqual([]);
      expect(readdirSync(sandbox)).not.toContain("tree");
    }
  });

  it("keep names that are not UTF-8", async () => {
    sh("mkdir tree; echo one > \"$(printf 'tree/caf\\351')\"; tar -cf a.tar tree");
    await get({ value: join(folder, "a.tar") });
    const [name] = readdirSync(join(sandbox, "tree"), { encoding: "buffer" });
    expect([...(name ?? [])]).toEqual([0x63, 0x61, 0x66, 0xe9]);
  });

  it("gz into the file without suffix", async () => {
    sh("echo hello > plain; gzip plain");
    await get({ value: join(folder, "plain.gz"), outputFile: "sub/plain.gz" });
    expect(read("sub/plain")).toBe("hello\n");
  });

  it("with names that leave the sandbox are refused", async () => {
    sh("mkdir in; echo evil > evil; cd in; tar -cPf ../evil.tar ../evil; rm ../evil");
    await expect(get({ value: join(folder, "evil.tar") })).rejects.toThrow("'../evil', which leads out of the sandbox");
    expect(readdirSync(folder)).not.toContain("evil");
  });

  it("cannot write through a link that an earlier one put there", async () => {
    mkdirSync(join(folder, "outside"));
    sh(
      "mkdir one two two/door; ln -s ../outside one/door; echo evil > two/door/file; tar -C one -cf one.tar door; tar -C two -cf two.tar door",
    );
    await get({ value: join(folder, "one.tar") }, { value: join(folder, "two.tar") });
    expect(readdirSync(join(folder, "outside"))).toEqual([]);
    expect(read("door/file")).toBe("evil\n");
    symlinkSync("../outside", join(sandbox, "again"));
    await expect(get({ value: join(folder, "one.tar"), extract: false, outputFile: "again/x" })).rejects.toThrow(
      "is not a folder",
    );
    expect(readdirSync(join(folder, "outside"))).toEqual([]);
  });

  it.each(["tar -cf many.tar many", "zip -qr many.zip many"])("of any number of entries: %s", async (command) => {
    // 10,000 names of 60 characters: a listing of over 600 KB.
    sh(`mkdir many; cd many; seq -f 'a-file-with-a-name-as-long-as-they-are-in-real-packages-%.0f' 10000 | xargs touch
      cd ..; ${command}`);
    await get({ value: join(folder, command.split(" ")[2] ?? "") });
    expect(readdirSync(join(sandbox, "many"))).toHaveLength(10_000);
  });

  it("that the program has much to say about", async () => {
    // As archives from macOS do: tar(1) warns of each entry, 500 KB in all, and unpacks it.
    sh(`mkdir words; cd words; seq -f 'file-%.0f' 5000 | xargs touch; cd ..
      tar --format=pax --pax-option=LIBARCHIVE.xattr.com.apple.quarantine:=x -cf words.tar words`);
    await get({ value: join(folder, "words.tar") });
    expect(readdirSync(join(sandbox, "words"))).toHaveLength(5_000);
  });

  it("say in the program's own words what is wrong", async () => {
    writeFileSync(join(folder, "bad.tgz"), "no archive");
    await expect(get({ value: join(folder, "bad.tgz") })).rejects.toThrow(
      /'tar' exited with status 2: .*not in gzip format/s,
    );
  });
});

describe("users", () => {
  it("own what was fetched for them, and read nothing that they may not", async (context) => {
    const user = nobody(context);
    chownSync(sandbox, user.uid, user.gid);
    sh("mkdir t; echo x > t/f; tar -czf t.tgz t; echo secret > private; chmod 600 private; chmod 644 t.tgz");
    await fetchInto(
      sandbox,
      [{ value: join(folder, "t.tgz") }, { value: `${base}/run`, executable: true, outputFile: "bin/run" }],
      user,
    );
    for (const name of ["t", "t/f", "t.tgz", "bin", "bin/run", "stdout", "stderr"]) {
      expect(statSync(join(sandbox, name)).uid).toBe(user.uid);
    }
    expect(statSync(join(sandbox, "bin/run")).mode & 0o777).toBe(0o755);
    await expect(fetchInto(sandbox, [{ value: join(folder, "private") }], user)).rejects.toThrow("Permission denied");
  });
});

describe("cache", () => {
  it("downloads once for all who ask at the same time, and again only when evicted", async () => {
    answer = (request, response) => {
      const body = "x".repeat(request.url === "/big" ? 900 : 300);
      response.setHeader("content-length", body.length);
      response.end(request.method === "HEAD" ? undefined : body);
    };
    const boxes = Array.from({ length: 5 }, (_, index) => join(folder, `box${index}`));
    for (const box of boxes) mkdirSync(box);
    await Promise.all(boxes.map((box) => fetchInto(box, [{ value: `${base}/small`, cache: true }])));
    for (const box of boxes) expect(readFileSync(join(box, "small"), "utf8")).toHaveLength(300);
    expect(requests.filter((line) => line === "GET /small")).toHaveLength(1);
    expect(fetcher.figures.cache_size_used_bytes).toBe(300);
    await get({ value: `${base}/big`, cache: true });
    expect(fetcher.figures.cache_size_used_bytes).toBe(900);
    expect(readdirSync(join(folder, "cache"))).toEqual(["c2-big"]);
    await get({ value: `${base}/small`, cache: true });
    expect(requests.filter((line) => line === "GET /small")).toHaveLength(2);
  });

  it("is left alone when the size is unknown or too big", async () => {
    answer = (request, response) => {
      if (request.url === "/huge") response.setHeader("content-length", 5000);
      response.end(request.method === "HEAD" ? undefined : "y".repeat(5000));
    };
    await get({ value: `${base}/huge`, cache: true });
    await get({ value: `${base}/unknown`, cache: true });
    expect(read("huge")).toHaveLength(5000);
    expect(read("stderr")).toContain("Not cached");
    expect(fetcher.figures.cache_size_used_bytes).toBe(0);
  });

  it("tells every waiter of a failure and forgets it", async () => {
    let isBroken = true;
    answer = (request, response) => {
      if (request.method === "HEAD") response.setHeader("content-length", 7).end();
      else if (isBroken) response.writeHead(500).end("broken");
      else response.end("mended!");
    };
    const results = await Promise.allSettled([1, 2].map(() => get({ value: `${base}/x`, cache: true })));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(fetcher.figures.cache_size_used_bytes).toBe(0);
    isBroken = false;
    await get({ value: `${base}/x`, cache: true });
    expect(read("x")).toBe("mended!");
  });
});

it("ends with its container", async () => {
  const abort = new AbortController();
  answer = () => abort.abort(new Error("the container was destroyed"));
  const uris = [create(CommandInfo_URISchema, { value: `${base}/never` })];
  const result = fetcher.fetch({ containerId: "c1", sandbox, user: undefined, uris, signal: abort.signal });
  await expect(result).rejects.toThrow("the container was destroyed");
});

it("says that the Hadoop client is missing", async () => {
  const without = openFetcher({ hadoopHome: join(folder, "no-hadoop") });
  await expect(fetchInto(sandbox, [{ value: "hdfs://nn/x" }], undefined, without)).rejects.toThrow(
    /Failed to create HDFS client: the program '.*bin\/hadoop' is not installed/,
  );
  await without.close();
});
