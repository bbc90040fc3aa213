import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
const environment = { PATH: "/usr/bin:/bin" };

beforeEach(() => {
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
      write: () => undefined,
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
    const script = '#!/bin/sh\necho "$@" >> ../told\nwhile [ "$1" != -o ]; do shift; done\necho fetched > "$2"\n';
    writeFileSync(join(programs, "curl"), script, { mode: 0o755 });
    const ftp = item({ value: "ftp://h/deep/x.bin", outputFile: "here/x" });
    const variables = { PATH: `${programs}:/usr/bin:/bin` };
    expect(await fetch([ftp], { stallTimeout: 90_500 }, variables)).toEqual({ kind: "done" });
    expect(await fetch([ftp], {}, variables)).toEqual({ kind: "done" });
    expect(readFileSync(join(base, "told"), "utf8").split("\n")).toEqual([
      "-sSfL --speed-limit 1 --speed-time 91 -o ./here/x -- ftp://h/deep/x.bin",
      "-sSfL -o ./here/x -- ftp://h/deep/x.bin",
      "",
    ]);
    expect(read("here/x")).toBe("fetched\n");
  });
});
