import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import type { MasterInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { createDetector } from "./detector.ts";
import { parseLocator } from "./locator.ts";

let folder: string;
let clock: TestClock;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "detector-"));
  clock = new TestClock();
});

afterEach(() => rm(folder, { recursive: true }));

async function detect(locator: string, resolve?: (host: string) => Promise<string>): Promise<MasterInfo | undefined> {
  const detector = await createDetector(locator, { clock, log: silentLogger, ...(resolve && { resolve }) });
  let found: MasterInfo | undefined;
  detector.watch((master) => {
    found = master;
  });
  expect(found).toBeUndefined();
  await clock.advance(10_000);
  await detector.close();
  return found;
}

describe("createDetector", () => {
  it("takes a fixed address, with and without an id", async () => {
    expect(await detect("127.0.0.1:5050")).toMatchObject({ pid: "master@127.0.0.1:5050", port: 5050 });
    expect(await detect("boss@127.0.0.1:5050")).toMatchObject({ pid: "boss@127.0.0.1:5050" });
  });

  it("waits until a host name can be resolved", async () => {
    let attempts = 0;
    const resolve = async (): Promise<string> => {
      if (++attempts < 3) throw new Error("ENOTFOUND");
      return "10.1.2.3";
    };
    expect(await detect("master.example:5050", resolve)).toMatchObject({
      pid: "master@10.1.2.3:5050",
      hostname: "master.example",
    });
  });

  it("reads files, and files that point to files", async () => {
    await writeFile(join(folder, "a"), "  127.0.0.1:5051\n");
    await writeFile(join(folder, "b"), `file://${join(folder, "a")}`);
    await writeFile(join(folder, "loop"), `file://${join(folder, "loop")}`);
    expect(await detect(`file://${folder}/b`)).toMatchObject({ pid: "master@127.0.0.1:5051" });
    await expect(detect(`file://${folder}/loop`)).rejects.toThrow("too many files");
    await expect(detect(`file://${folder}/missing`)).rejects.toThrow("does not exist");
  });
});

describe("parseLocator", () => {
  it.each([
    ["", "no master"],
    ["host", "does not name a master"],
    ["http://host:5050", "not a kind of master"],
    ["host:0", "not a port"],
    ["file://relative", "absolute"],
    ["a b:5050", "does not name"],
  ])("refuses %j", (text, why) => {
    expect(() => parseLocator(text)).toThrow(why);
  });

  it("reads ZooKeeper urls", () => {
    expect(parseLocator(" zk://h:2181/mesos ")).toMatchObject({ kind: "zookeeper", url: { path: "/mesos" } });
  });
});
