import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../base/log.ts";
import { registryAuth } from "./credentials.ts";

let base: string;
let sandbox: string;
let warnings: string[];
const log: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
const config = JSON.stringify({ auths: { "r.example": { auth: Buffer.from("me:secret").toString("base64") } } });

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "credentials-"));
  sandbox = join(base, "sandbox");
  warnings = [];
  for (const folder of [sandbox, join(base, "root")]) mkdirSync(folder);
  writeFileSync(join(base, "root/config.json"), config);
});
afterEach(() => rmSync(base, { recursive: true }));

const auth = (home?: string) =>
  registryAuth("r.example/app", sandbox, { dockerConfig: undefined, home, askHelper: async () => undefined }, log);

test("a task's own configuration is used", async () => {
  mkdirSync(join(sandbox, ".docker"));
  writeFileSync(join(sandbox, ".docker/config.json"), config);
  expect(await auth()).toBeDefined();
});

test("a folder .docker that is a link lends nobody's credentials to a task", async () => {
  symlinkSync(join(base, "root"), join(sandbox, ".docker"));
  expect(await auth()).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining("is a symbolic link")]);
});

test("the agent's own may be linked", async () => {
  mkdirSync(join(base, "home"));
  symlinkSync(join(base, "root"), join(base, "home/.docker"));
  expect(await auth(join(base, "home"))).toBeDefined();
});
