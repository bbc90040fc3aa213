import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needRoot } from "../../../test/support/missing.ts";
import type { Logger } from "../../base/log.ts";
import { silentLogger } from "../../base/log.ts";
import { type Resource, ResourceSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { ownVolumes } from "./volume-owner.ts";

const [SOMEBODY, OTHER] = [12_345, 12_346];
let workDir: string;
let sandbox: string;
let path: string;
let warnings: string[];
const log: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };

const volume = (more: object = {}): Resource =>
  create(ResourceSchema, { name: "disk", type: 0, role: "web", disk: { persistence: { id: "v" } }, ...more } as never);

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), "volume-owner-"));
  [sandbox, path, warnings] = [join(workDir, "sandbox"), join(workDir, "volumes", "roles", "web", "v"), []];
  mkdirSync(sandbox);
  mkdirSync(path, { recursive: true });
});

afterEach(() => rmSync(workDir, { recursive: true }));

describe("persistent volumes", () => {
  it("belong to whom the sandbox belongs, what is in them to whoever wrote it", (ctx) => {
    needRoot(ctx, "giving files away");
    chownSync(sandbox, SOMEBODY, OTHER);
    writeFileSync(join(path, "file"), "");
    ownVolumes(workDir, [volume()], sandbox, log);
    expect(statSync(path)).toMatchObject({ uid: SOMEBODY, gid: OTHER });
    expect(statSync(join(path, "file")).uid).toBe(0);
  });

  it("that are shared stay with their first user", (ctx) => {
    needRoot(ctx, "giving files away");
    chownSync(sandbox, SOMEBODY, SOMEBODY);
    ownVolumes(workDir, [volume({ shared: {} })], sandbox, log);
    expect(statSync(path).uid).toBe(SOMEBODY);
    chownSync(sandbox, OTHER, OTHER);
    ownVolumes(workDir, [volume({ shared: {} })], sandbox, log);
    expect(statSync(path).uid).toBe(SOMEBODY);
  });
});

describe("a persistent volume", () => {
  it("that is not there is logged with its path", () => {
    rmSync(path, { recursive: true });
    ownVolumes(workDir, [volume()], sandbox, log);
    expect(warnings).toEqual([expect.stringContaining(path)]);
  });
});
