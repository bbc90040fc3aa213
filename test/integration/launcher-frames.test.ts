import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MesosContainerizer } from "../../src/agent/containerizer/mesos/containerizer.ts";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";

let folder: string;
let containerizer: MesosContainerizer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "launcher-frames-"));
  containerizer = openContainerizer(folder);
});
afterEach(async () => {
  await containerizer.close();
  rmSync(folder, { recursive: true });
});

// The launcher reads 64 KiB at once and executes texts where they lie in what it has read.
it("requests at once that are much longer than a read, shorter, and cut anywhere, are all taken as they are", async () => {
  const specs = Array.from({ length: 40 }, (_, number) => {
    const [one, two] = ["a", "b"].map((letter) => letter.repeat((number * 7919) % 120_000));
    const spec = containerSpec(folder, randomUUID(), { value: `printf '%s.' "$ONE" "$TWO" "$LAST"` });
    return { ...spec, environment: { ...spec.environment, ONE: `${one}`, TWO: `${two}`, LAST: `${number}` } };
  });
  await Promise.all(specs.map((spec) => containerizer.launch(spec, new AbortController().signal)));
  await Promise.all(specs.map(({ containerId }) => containerizer.wait(containerId)));
  const said = specs.map(({ sandbox }) => readFileSync(join(sandbox, "stdout"), "utf8"));
  expect(said).toEqual(specs.map(({ environment: { ONE, TWO, LAST } }) => `${ONE}.${TWO}.${LAST}.`));
});

it("names are looked up in the request's own PATH, not in that of the next one", async () => {
  const specs = ["/nowhere", undefined, "/bin"].map((path) => {
    const command = { shell: false, value: "sleep", arguments: ["sleep", "0"] };
    const spec = containerSpec(folder, randomUUID(), command);
    return { ...spec, environment: path === undefined ? {} : { A: "1", PATH: path } };
  });
  const launched = await Promise.allSettled(
    specs.map((spec) => containerizer.launch(spec, new AbortController().signal)),
  );
  expect(launched.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  await Promise.all(specs.slice(1).map(({ containerId }) => containerizer.wait(containerId)));
});
