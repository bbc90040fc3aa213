import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needRoot } from "../../../test/support/missing.ts";
import { holdSandbox, workingPlace } from "../model/held/sandbox.ts";
import { createNestedSandbox, removeNestedSandbox } from "./nested.ts";

let base: string;
let outer: string;
let outside: string;

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "nested-")));
  outer = join(base, "run");
  outside = join(base, "outside");
  for (const folder of [outer, outside]) mkdirSync(folder);
  writeFileSync(join(outside, "precious"), "x");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const within = (way = "containers/c1") => ({ sandbox: join(outer, way), within: outer });
/** A container that stands alone: two folders of the agent's, then its own. */
const alone = () => ({ sandbox: join(outer, "containers/alone") });
const modeOf = (path: string) => statSync(path).mode & 0o777;
/** How many descriptors lead to what the test made: others are other tests'. */
const descriptors = () =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(base);
    } catch {
      return false;
    }
  }).length;

describe("the sandbox of a container within another", () => {
  it.each([
    ["nested", () => within()],
    ["twice nested", () => within("containers/c1/containers/c2")],
    ["alone", alone],
  ])("is made, as a sandbox, in folders that may be looked into: %s", (_name, place) => {
    const before = descriptors();
    createNestedSandbox(place(), undefined);
    expect(modeOf(place().sandbox)).toBe(0o750);
    expect(modeOf(join(place().sandbox, ".."))).toBe(0o755);
    expect(descriptors()).toBe(before);
  });

  it("is its user's, the folders above it are not", (context) => {
    needRoot(context, "giving files away");
    createNestedSandbox(within(), { uid: 12_345, gid: 23_456 });
    expect(statSync(within().sandbox)).toMatchObject({ uid: 12_345, gid: 23_456 });
    expect(statSync(join(outer, "containers"))).toMatchObject({ uid: 0, gid: 0 });
  });

  it("of the same id is used again, with what is in it", () => {
    createNestedSandbox(within(), undefined);
    writeFileSync(join(within().sandbox, "stdout"), "x");
    createNestedSandbox(within(), undefined);
    expect(readdirSync(within().sandbox)).toEqual(["stdout"]);
  });

  it.each(["containers", "containers/c1"])("is not made through a link that its owner put there: %s", (name) => {
    mkdirSync(join(outer, name, ".."), { recursive: true });
    symlinkSync(outside, join(outer, name));
    expect(() => createNestedSandbox(within(), undefined)).toThrow(
      /^Failed to create nested sandbox '.*c1': .*symbolic link/,
    );
    expect(readdirSync(outside)).toEqual(["precious"]);
  });

  it("that cannot be made fails the launch", () => {
    rmSync(outer, { recursive: true });
    expect(() => createNestedSandbox(within(), undefined)).toThrow(/Failed to create nested sandbox .* ENOENT/);
  });
});

describe("such a sandbox is removed", () => {
  it.each([
    ["nested", () => within()],
    ["alone", alone],
  ])("with what is in it, links not followed: %s", async (_name, place) => {
    createNestedSandbox(place(), undefined);
    mkdirSync(join(place().sandbox, "deep"));
    writeFileSync(join(place().sandbox, "deep/file"), "x");
    symlinkSync(outside, join(place().sandbox, "link"));
    const before = descriptors();
    await removeNestedSandbox(place());
    expect(existsSync(place().sandbox)).toBe(false);
    expect(existsSync(join(outer, "containers"))).toBe(true);
    expect(readdirSync(outside)).toEqual(["precious"]);
    expect(descriptors()).toBe(before);
  });

  it("also when it is not there, nor the sandbox around it", async () => {
    await removeNestedSandbox(within());
    rmSync(outer, { recursive: true });
    await removeNestedSandbox(within());
  });

  it("but not through a link", async () => {
    mkdirSync(join(outside, "c1"));
    symlinkSync(outside, join(outer, "containers"));
    await expect(removeNestedSandbox(within())).rejects.toThrow("symbolic link");
    expect(existsSync(join(outside, "c1"))).toBe(true);
  });
});

describe("a sandbox is held", () => {
  it.each([
    ["alone", () => ({ sandbox: outer })],
    ["that says it is its own outermost one", () => ({ sandbox: outer, within: outer })],
    ["within another", () => within()],
  ])("%s", (_name, place) => {
    if (place().sandbox !== outer) createNestedSandbox(within(), undefined);
    using held = holdSandbox(place());
    expect(readlinkSync(`/proc/self/fd/${held.fd}`)).toBe(place().sandbox);
  });

  it("through no link", () => {
    symlinkSync(outside, join(outer, "containers"));
    expect(() => holdSandbox(within())).toThrow("symbolic link");
    expect(() => workingPlace(within())).toThrow("symbolic link");
  });

  it("for processes that begin there: the agent's own by its path, others whatever their name means by then", () => {
    createNestedSandbox(within(), undefined);
    using own = workingPlace({ sandbox: outer });
    expect(own.cwd).toBe(outer);
    const before = descriptors();
    {
      using place = workingPlace(within());
      rmSync(within().sandbox, { recursive: true });
      symlinkSync(outside, within().sandbox);
      expect(place.cwd).toMatch(new RegExp(`^/proc/${process.pid}/fd/\\d+$`));
      expect(readlinkSync(place.cwd)).toContain("deleted");
    }
    expect(descriptors()).toBe(before);
  });
});
