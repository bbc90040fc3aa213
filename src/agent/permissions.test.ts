import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { CredentialFile } from "./master/credential-file.ts";
import { Metrics } from "./metrics/registry.ts";
import type { ExecutorRecord, FrameworkRecord } from "./model/records.ts";
import { Permissions } from "./permissions.ts";
import { loadAgentFlags } from "./settings/load.ts";

let folder: string;
const lines: string[] = [];
const log: Logger = {
  ...silentLogger,
  warn: (line) => void lines.push(line),
  error: (line) => void lines.push(line),
  named: () => log,
};

beforeEach(() => {
  lines.length = 0;
  registry.active.clear();
  folder = mkdtempSync(join(tmpdir(), "permissions-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode });
  return path;
}

const registry: ConstructorParameters<typeof Permissions>[0]["registry"] = { active: new Map() };

function open(...words: string[]): Permissions {
  const loaded = loadAgentFlags({ words: ["--master=a:1", ...words], environment: {}, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
  const clock = new TestClock();
  const identity = { phase: "RUNNING" } as const;
  return new Permissions({ flags: loaded.flags.values, clock, log, metrics: new Metrics(clock), registry, identity });
}

it("a file that is not there, or empty, ends the start and is named with its flag", () => {
  expect(() => open("--jwt_secret_key=/no/such/key")).toThrow(/--jwt_secret_key.*\/no\/such\/key/);
  expect(() => open("--http_credentials=/no/such/file")).toThrow(/--http_credentials.*\/no\/such\/file/);
  expect(() => open(`--jwt_secret_key=${file("key", "")}`)).toThrow(/--jwt_secret_key.*is empty/);
});

it("a file that every task could read is warned of, unless its secrets are hashes", () => {
  open(`--jwt_secret_key=${file("key", "k", 0o644)}`);
  const credentials = (member: object) => JSON.stringify({ credentials: [{ principal: "p", ...member }] });
  open(`--http_credentials=${file("plain", credentials({ secret: "s" }), 0o644)}`);
  const hash = "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gEeb/KeWbm5g+kBQOFr1yJbkjBxxxDOkhSmrSXFFwOg";
  open(`--http_credentials=${file("hashed", credentials({ secret_hash: hash }), 0o644)}`);
  const warned = lines.filter((line) => line.includes("too open")).map((line) => /'(.*)'/.exec(line)?.[1]);
  expect(warned).toEqual([join(folder, "key"), join(folder, "plain")]);
});

it("without a key executors get no token; with one they do, also where none is asked for", () => {
  expect(open().tokens).toBeUndefined();
  const permissions = open(`--jwt_secret_key=${file("key", "k")}`);
  expect(permissions.tokens).toBeDefined();
  expect(permissions.access.asks("executor")).toBe(false);
});

it("a token ends with its container, not when its executor is forgotten", async () => {
  const permissions = open("--authenticate_http_executors", `--jwt_secret_key=${file("key", "k")}`);
  const claims = { frameworkId: "f", executorId: "e", containerId: "c" };
  const header = `Bearer ${await permissions.tokens?.of(claims)}`;
  const isLetIn = async (): Promise<boolean> =>
    "subject" in (await permissions.access.admit("executor", header, undefined));
  const states: [boolean, ExecutorRecord["state"]][] = [];
  for (const state of ["REGISTERING", "RUNNING", "TERMINATING", "TERMINATED"] as const) {
    const executor = { containerId: "c", state } as ExecutorRecord;
    registry.active.set("f", { executors: new Map([["e", executor]]) } as unknown as FrameworkRecord);
    states.push([await isLetIn(), state]);
  }
  expect(states).toEqual([
    [true, "REGISTERING"],
    [true, "RUNNING"],
    [true, "TERMINATING"],
    [false, "TERMINATED"],
  ]);
});

it("says so when there is no file to read again", () => {
  open().reload(undefined);
  expect(lines.at(-1)).toMatch(/^Nothing is read again/);
});

describe("files that are read again", () => {
  const OPS = `Basic ${Buffer.from("ops:opens sesame").toString("base64")}`;
  const passwords = (secret: string): string => JSON.stringify({ credentials: [{ principal: "ops", secret }] });
  const rules = (type: string): string =>
    JSON.stringify({ permissive: false, view_flags: [{ principals: { type: "ANY" }, flags: { type } }] });

  /** Whether a password lets in, and what the rules allow to who has none. */
  async function inForce({ access, authorizer }: Permissions): Promise<[boolean, boolean | undefined]> {
    const admission = await access.admit("readonly", OPS, undefined);
    return ["subject" in admission, authorizer.approverOf(undefined)?.allows("view_flags")];
  }
  const opened = (): Permissions =>
    open(
      `--acls=${rules("ANY")}`,
      "--authenticate_http_readonly",
      `--http_credentials=${file("credentials", passwords("opens sesame"))}`,
    );

  it("have the credential for the master among them, each for itself", () => {
    const credential = new CredentialFile(file("credential", "agent hunter1\n"), silentLogger);
    file("credential", "agent hunter2\n");
    open().reload(undefined, credential);
    expect([credential.secret, lines]).toEqual(["hunter2", []]);
    file("credential", "hunter3\n");
    open().reload(undefined, credential);
    expect(lines.at(-1)).toMatch(/^Not taken over, .*not two words/);
    expect(credential.secret).toBe("hunter2");
    expect(lines.join("\n")).not.toMatch(/hunter|Nothing is read again/);
  });

  it("need not be all there", () => {
    open(`--http_credentials=${file("credentials", passwords("opens sesame"))}`).reload(undefined);
    open().reload(file("acls", rules("NONE")));
    expect(lines.filter((line) => line.startsWith("Nothing is read again"))).toEqual([]);
  });

  it("are in force from then on", async () => {
    const permissions = opened();
    file("credentials", passwords("another"));
    permissions.reload(file("acls", rules("NONE")));
    expect(await inForce(permissions)).toEqual([false, false]);
  });

  it.each([
    ["is cut off", rules("NONE").slice(0, -1), "JSON"],
    ["is empty", "", "JSON"],
    ["has an unknown action", JSON.stringify({ permissive: true, view_flag: [] }), "view_flag"],
    ["is not there", undefined, "ENOENT"],
  ])("change no rule where the rules' file %s, and passwords none the less", async (_what, content, why) => {
    const permissions = opened();
    file("credentials", passwords("another"));
    permissions.reload(content === undefined ? join(folder, "none") : file("acls", content));
    expect(await inForce(permissions)).toEqual([false, true]);
    expect(lines.filter((line) => line.startsWith("Not taken over"))).toEqual([expect.stringContaining(why)]);
  });

  it.each([
    ["cut off", passwords("hunter2").slice(0, -1)],
    ["empty", ""],
    ["without one", JSON.stringify({ credentials: [{ principal: "ops" }] })],
    ["twice the same", JSON.stringify({ credentials: Array(2).fill({ principal: "ops", secret: "hunter2" }) })],
  ])("change no password where those are %s, tell none, and rules none the less", async (_what, content) => {
    const permissions = opened();
    file("credentials", content);
    permissions.reload(file("acls", rules("NONE")));
    expect(await inForce(permissions)).toEqual([true, false]);
    expect(lines.filter((line) => line.startsWith("Not taken over"))).toEqual([
      expect.stringContaining("--http_credentials"),
    ]);
    expect(lines.join("\n")).not.toContain("hunter2");
  });
});
