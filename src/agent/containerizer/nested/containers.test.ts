import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { CommandInfoSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { type ContainerChain, keyOf } from "../../model/nested.ts";
import { Accounts } from "../../users/accounts.ts";
import { Nested, type NestedOptions } from "./containers.ts";
import { ContainerTree } from "./tree.ts";

let folder: string;
let tree: ContainerTree;
let nested: Nested;
/** The processes that were started, by container; each ends when it is told to. */
let started: Map<string, PromiseWithResolvers<ContainerTermination>>;
/** Launches wait for it, as for what is to be fetched. */
let fetched: Promise<void> | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nested-"));
  tree = new ContainerTree();
  started = new Map();
  fetched = undefined;
  const processes = {
    check: async () => undefined,
    launch: async ({ containerId }: { containerId: string }) => {
      if (started.has(containerId)) throw new Error(`Container ${containerId} exists already`);
      started.set(containerId, Promise.withResolvers());
    },
    wait: (id: string) => started.get(id)?.promise,
    remove: async (id: string) => void started.delete(id),
    destroy: async (id: string) => started.get(id)?.resolve({ status: 9 }),
    limitation: () => undefined,
  };
  const nothing = {
    write: async () => undefined,
    end: async () => undefined,
    endOf: () => ({}),
    forget: () => undefined,
  };
  const fetch = async ({ signal }: { signal: AbortSignal }) => {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
    await Promise.race([fetched, aborted.promise]);
  };
  nested = new Nested({
    ...{ log: silentLogger, tree, accounts: new Accounts(new TestClock()), workDir: folder, switchesUser: false },
    ...{ processes, records: nothing, fetcher: { fetch }, gc: undefined },
  } as unknown as NestedOptions);
});
afterEach(() => rmSync(folder, { recursive: true }));

const launch = (chain: ContainerChain, signal?: AbortSignal) =>
  nested.launch(
    {
      ...{ chain, container: undefined, resources: [], limits: {} },
      command: create(CommandInfoSchema, {
        value: "x",
        uris: fetched === undefined ? [] : [{ value: "http://there/it" }],
      }),
    },
    signal,
  );
const sandbox = (id: string): string => join(folder, "containers", id);
const over = async (id: string): Promise<void> => {
  started.get(id)?.resolve({ status: 0 });
  await nested.wait([id]);
};

describe("an id that was another's", () => {
  it("has one container, whoever asks for it at once", async () => {
    await launch(["one"]);
    writeFileSync(join(sandbox("one"), "old"), "");
    await over("one");
    const answers = await Promise.all([launch(["one"]), launch(["one"]), launch(["one"])]);
    expect(answers.toSorted()).toEqual(["already", "already", "launched"]);
    expect(nested.list()).toHaveLength(1);
    expect(existsSync(sandbox("one"))).toBe(true);
    expect(existsSync(join(sandbox("one"), "old"))).toBe(false);
  });

  it("is not taken before what is left of the other is gone", async () => {
    await launch(["one"]);
    await over("one");
    const removed = nested.remove(["one"]);
    expect(await launch(["one"])).toBe("launched");
    await removed;
    expect(existsSync(sandbox("one")), "its own sandbox").toBe(true);
    expect(tree.get(["one"])?.isLive).toBe(true);
  });
});

describe("a launch", () => {
  it("that is not wanted any more ends, and leaves nothing", async () => {
    fetched = new Promise(() => undefined);
    const abort = new AbortController();
    const launched = launch(["one"], abort.signal);
    abort.abort(new Error("killed"));
    await expect(launched).rejects.toThrow("killed");
    await expect(launch(["two"], abort.signal)).rejects.toThrow("killed");
    expect([started.size, tree.get(["one"]), tree.get(["two"])]).toEqual([0, undefined, undefined]);
  });

  it("whose parent is ended meanwhile ends with it", async () => {
    await launch([keyOf(["root"])]);
    fetched = new Promise(() => undefined);
    const launched = launch(["root", "child"]);
    const ended = expect(launched).rejects.toThrow("destroyed while it was being launched");
    await expect.poll(() => tree.get(["root", "child"])?.phase).toBe("launching");
    expect(await nested.kill(["root"], 9)).toBe(true);
    await ended;
    await nested.wait(["root"]);
    expect(nested.list()).toEqual([]);
  });
});
