import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildAll, programs, wideLetterOf } from "../../tools/build.ts";

/**
 * KB that a bundle may have. What is in it is parsed and held for as long as the program runs: what makes one grow is to be
 * worth it. zod comes whole, with 50 languages, where it is imported as `{ z }` and not as `* as z`.
 */
const WEIGHT: Readonly<Record<string, number>> = {
  cli: 1340,
  doctor: 1350,
  init: 130,
  "logstash-forwarder": 650,
  "lumberjack-sink": 35,
  "mesos-execute": 1300,
  "mesos-fetcher": 760,
  "mesos-local-master": 590,
  "mesos-slave": 2400,
  redpill: 40,
  start: 940,
};

describe("the programs as they are shipped", () => {
  const folder = mkdtempSync(join(tmpdir(), "bundles-"));
  const bundleOf = (name: string): string =>
    join(folder, readdirSync(folder).includes(`${name}.cjs`) ? `${name}.cjs` : `${name}.js`);

  beforeAll(async () => {
    await buildAll(folder, { sourcemap: false });
  }, 120_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  /** Whether a bundle's compiled code is taken by the Node that runs the programs, with `flags`. */
  function isTaken(name: string, flags: readonly string[] = []): boolean {
    const script =
      "const [, load, bundle] = process.argv; console.log(require(load).scriptOf(bundle).cachedDataRejected)";
    const words = [...flags, "-e", script, join(folder, "load.cjs"), bundleOf(name)];
    return execFileSync(process.execPath, words, { encoding: "utf8", env: {} }).trim() === "false";
  }

  it("have a weight that somebody decided", () => {
    const heavy = programs().filter((name) => statSync(bundleOf(name)).size > (WEIGHT[name] ?? 0) * 1024);
    expect(heavy).toEqual([]);
  });

  it("have no letter that would double their memory", () => {
    expect(wideLetterOf("const unit = /5 µs/;")).toBe("const unit = /5 µs/;");
    for (const name of programs()) expect(wideLetterOf(readFileSync(bundleOf(name), "utf8")), name).toBeUndefined();
  });

  it.each(["mesos-slave", "logstash-forwarder", "mesos-fetcher", "cli"])("do not parse %s at its start", (name) => {
    expect(isTaken(name)).toBe(true);
    // As skel/opt/mesos-slave/run starts them, and as somebody might who has to do with less.
    expect(isTaken(name, ["--max-semi-space-size=4"])).toBe(true);
    expect(isTaken(name, ["--max-old-space-size=200"])).toBe(true);
  });

  it("answer from their compiled code, and without it", () => {
    const version = (): string =>
      execFileSync(process.execPath, [join(folder, "logstash-forwarder.js"), "-version"], { encoding: "utf8" });
    const compiled = version();
    for (const name of readdirSync(folder).filter((file) => /^logstash.*\.compiled$/.test(file)))
      rmSync(join(folder, name));
    expect(version()).toBe(compiled);
    expect(compiled).toMatch(/^logstash-forwarder /);
  });

  it("never run code that was compiled from another text of the same length", () => {
    const bundle = bundleOf("mesos-fetcher");
    const text = readFileSync(bundle, "utf8");
    writeFileSync(bundle, text.replace("only the agent starts this program", "only the agent starts this PROGRAM"));
    expect(statSync(bundle).size).toBe(text.length);
    expect(isTaken("mesos-fetcher")).toBe(false);
  });
});
