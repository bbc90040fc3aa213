import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Dispatcher } from "undici";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { missing } from "../../../test/support/missing.ts";
import { CommandInfo_URISchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { fetchDispatcher } from "./download.ts";
import { carryOut } from "./fetching.ts";
import type { FetchOrder, OrderedItem } from "./order.ts";
import { planFetch } from "./plan.ts";

/** What is fetched and unpacked by programs of the machine. */
let base: string;
let sandbox: string;
let dispatcher: Dispatcher;
let lines: string[];
const environment = { PATH: "/usr/bin:/bin" };

beforeEach(() => {
  lines = [];
  base = mkdtempSync(join(tmpdir(), "programs-"));
  sandbox = join(base, "sandbox");
  mkdirSync(sandbox);
  dispatcher = fetchDispatcher(environment);
});
afterEach(async () => {
  await dispatcher.destroy();
  rmSync(base, { recursive: true, force: true });
});

const item = (uri: MessageInitShape<typeof CommandInfo_URISchema>): OrderedItem => ({
  item: planFetch(create(CommandInfo_URISchema, uri), undefined),
  cached: undefined,
});
const fetch = (items: readonly OrderedItem[], more: Partial<FetchOrder> = {}, variables: Record<string, string> = {}) =>
  carryOut(
    { user: undefined, sandbox: "/shown", items, stallTimeout: 0, hadoopHome: undefined, ...more },
    {
      folder: sandbox,
      environment: { ...environment, ...variables },
      dispatcher,
      progress: () => undefined,
      write: (message) => lines.push(message),
    },
  );
const read = (name: string): string => readFileSync(join(sandbox, name), "utf8");
const sh = (script: string) => execFileSync("sh", ["-ec", script], { cwd: base });

describe("a zip archive", () => {
  it("is unpacked, and refused as a whole when a name in it leads elsewhere", async (context) => {
    for (const program of ["zip", "unzip"])
      if (!existsSync(`/usr/bin/${program}`)) missing(context, `the program ${program}`);
    sh(
      "mkdir -p in/deep; echo one > in/one; echo two > in/deep/two; zip -qr a.zip in; touch up; cd in/deep; zip -q ../../b.zip ../../up",
    );
    expect(await fetch([item({ value: join(base, "a.zip") })])).toEqual({ kind: "done" });
    expect([read("in/one"), read("in/deep/two"), existsSync(join(sandbox, "a.zip"))]).toEqual(["one\n", "two\n", true]);
    expect(await fetch([item({ value: join(base, "b.zip") })])).toMatchObject({ kind: "failed" });
    expect(readdirSync(sandbox).toSorted()).toEqual(["a.zip", "b.zip", "in"]);
  });
});

describe("a file by FTP", () => {
  it("is fetched by curl, which gives up a server that sends nothing for as long as downloads may stall", async () => {
    const programs = join(base, "programs");
    mkdirSync(programs);
    // No FTP server here: what curl is told is what counts.
    const script =
      '#!/bin/sh\necho "$@" >> ../told\ncat >> ../told\nwhile [ "$1" != -o ]; do shift; done\necho fetched > "$2"\n';
    writeFileSync(join(programs, "curl"), script, { mode: 0o755 });
    const ftp = item({ value: 'ftp://me:secret@h/deep/"x.bin', outputFile: "here/x" });
    const variables = { PATH: `${programs}:/usr/bin:/bin` };
    expect(await fetch([ftp], { stallTimeout: 90_500 }, variables)).toEqual({ kind: "done" });
    expect(await fetch([ftp], {}, variables)).toEqual({ kind: "done" });
    expect(readFileSync(join(base, "told"), "utf8").split("\n")).toEqual([
      // The password is in no process list.
      "-q -sSfLg --speed-limit 1 --speed-time 91 -o ./here/x -K -",
      'url = "ftp://me:secret@h/deep/\\"x.bin"',
      "-q -sSfLg -o ./here/x -K -",
      'url = "ftp://me:secret@h/deep/\\"x.bin"',
      "",
    ]);
    expect(read("here/x")).toBe("fetched\n");
  });
});

it("curl reads the URI that it is told on its stdin, with quotes and brackets in it", async (context) => {
  if (!existsSync("/usr/bin/curl")) missing(context, "the program curl");
  const server = createServer((socket) => {
    socket.write("220 ready\r\n");
    let data = "";
    socket.on("data", (chunk) => {
      for (const line of chunk.toString().split("\r\n").filter(Boolean)) {
        asked.push(line);
        const [word = ""] = line.split(" ");
        if (word === "EPSV") data = `229 Entering (|||${(passive.address() as AddressInfo).port}|)`;
        const said: Record<string, string> = { USER: "331 ", PASS: "230 ", PWD: '257 "/"', EPSV: data, TYPE: "200 " };
        socket.write(`${said[word] ?? (word === "RETR" ? "150 \r\n226 " : "500 ")}\r\n`);
      }
    });
    socket.on("error", () => undefined);
  });
  const passive = createServer((socket) => socket.end("fetched"));
  const asked: string[] = [];
  try {
    for (const one of [server, passive]) await new Promise<void>((done) => one.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const value = `ftp://me:pa%40ss@127.0.0.1:${port}/a"[1-2]{b}.bin`;
    expect(await fetch([item({ value, outputFile: "x" })])).toEqual({ kind: "done" });
    expect([read("x"), asked.at(0), asked.at(1)]).toEqual(["fetched", "USER me", "PASS pa@ss"]);
    expect(asked).toContain('RETR a"[1-2]{b}.bin');
  } finally {
    server.close();
    passive.close();
  }
});

it("hadoop's URI is shown without its secret, in the log and in what it says of it", async () => {
  const programs = join(base, "programs");
  mkdirSync(programs);
  const script = '#!/bin/sh\n[ "$1" = version ] || { echo "no such file: $3" >&2; exit 1; }\n';
  writeFileSync(join(programs, "hadoop"), script, { mode: 0o755 });
  const value = "s3n://KEY:ab/cd@bucket/x";
  const outcome = await fetch([item({ value })], {}, { PATH: `${programs}:/usr/bin:/bin` });
  expect(outcome).toMatchObject({ kind: "failed", uri: "s3n://KEY:****@bucket/x" });
  expect(outcome).toMatchObject({ why: expect.stringContaining("no such file: s3n://KEY:****@bucket/x") });
  expect(lines.join("\n")).toContain("Hadoop client from 's3n://KEY:****@bucket/x'");
  expect(lines.join("\n")).not.toContain("ab/cd");
});

it("an archive is unpacked whatever its name looks like to the program", async (context) => {
  for (const program of ["zip", "unzip"])
    if (!existsSync(`/usr/bin/${program}`)) missing(context, `the program ${program}`);
  sh("mkdir in; for n in 1 2 3 4 5; do echo $n > in/$n; done; cd in; tar -czf ../app:1.0.tgz 1; zip -q ../z.zip 2");
  sh("tar -cf ./-x.tar -C in 3; mv z.zip ./-z.zip; tar -cf - -C in 4 > host:x.tar; gzip -c in/5 > ./-g:5.gz");
  const values = ["app:1.0.tgz", "-z.zip", "-x.tar", "host:x.tar", "-g:5.gz"].map((name) => join(base, name));
  expect(await fetch(values.map((value) => item({ value })))).toEqual({ kind: "done" });
  expect(["1", "2", "3", "4", "-g:5"].map(read)).toEqual(["1\n", "2\n", "3\n", "4\n", "5\n"]);
});

it("a proxy's password is in the environment of no program that the task's user could look at", async () => {
  const programs = join(base, "programs");
  mkdirSync(programs);
  const told = join(base, "told");
  const script = `#!/bin/sh\n[ "\${http_proxy}\${https_proxy}\${HTTPS_PROXY}\${no_proxy}" = "" ] || echo "$0" >> ${told}\n`;
  for (const [name, then] of [
    ["cp", 'exec /bin/cp "$@"\n'],
    ["tar", 'exec /bin/tar "$@"\n'],
    ["curl", 'while [ "$1" != -o ]; do shift; done\necho fetched > "$2"\n'],
  ])
    writeFileSync(join(programs, name ?? ""), script + then, { mode: 0o755 });
  sh("mkdir in; echo one > in/one; tar -cf a.tar in");
  const proxy = "http://me:secret@proxy:3128";
  const outcome = await fetch(
    [item({ value: join(base, "a.tar") }), item({ value: "ftp://h/x.bin" })],
    {},
    {
      ...{
        PATH: `${programs}:/usr/bin:/bin`,
        http_proxy: proxy,
        https_proxy: proxy,
        HTTPS_PROXY: proxy,
        no_proxy: "h",
      },
    },
  );
  expect([outcome, read("in/one"), read("x.bin")]).toEqual([{ kind: "done" }, "one\n", "fetched\n"]);
  expect(existsSync(told)).toBe(false);
});
