import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { Metrics } from "./metrics/registry.ts";
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
  folder = mkdtempSync(join(tmpdir(), "permissions-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode });
  return path;
}

function open(...words: string[]): Permissions {
  const loaded = loadAgentFlags({ words: ["--master=a:1", ...words], environment: {}, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
  const clock = new TestClock();
  const registry = { active: new Map() };
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

it("says so when there is no file to read again", () => {
  open().reload(undefined);
  expect(lines.at(-1)).toMatch(/^Nothing is read again/);
});
