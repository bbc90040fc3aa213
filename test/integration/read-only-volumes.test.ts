import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it, type TestContext } from "vitest";
import type { MesosContainerizer } from "../../src/agent/containerizer/mesos/containerizer.ts";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  ResourceSchema,
  Volume_Mode,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";
import { missing, needRoot } from "../support/missing.ts";

let folder: string;
let containerizer: MesosContainerizer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "read-only-"));
  containerizer = openContainerizer(folder);
  mkdirSync(join(folder, "work/volumes/roles/r/p"), { recursive: true });
  writeFileSync(join(folder, "work/volumes/roles/r/p/kept"), "kept");
});
afterEach(async () => {
  for (const { containerId } of containerizer.running()) {
    await containerizer.destroy(containerId);
    await containerizer.wait(containerId);
  }
  await containerizer.close();
  rmSync(folder, { recursive: true });
});

/** Skips where the kernel gives nobody a mount namespace in which a folder can be made read-only. */
function needNamespace(context: TestContext): void {
  const argv = ["--mount", "sh", "-c", "mount --bind /mnt /mnt && mount -o remount,bind,ro /mnt"];
  try {
    execFileSync("unshare", argv, { stdio: "ignore" });
  } catch {
    missing(context, "there is no mount namespace to be had here");
  }
}

const TRY =
  "cat data/kept; if echo x 2>/dev/null > data/new; then echo written; else echo refused; fi; touch own && echo own";
const mounts = () => readFileSync("/proc/self/mountinfo", "utf8");
const output = ({ sandbox }: ContainerSpec, name = "stdout") => readFileSync(join(sandbox, name), "utf8");
const persistent = (mode: Volume_Mode) => ({
  resources: [
    create(ResourceSchema, {
      name: "disk",
      reservations: [{ role: "r" }],
      disk: { persistence: { id: "p" }, volume: { containerPath: "data", mode } },
    }),
  ],
});

async function run(value: string, more: Partial<ContainerSpec>): Promise<ContainerSpec> {
  const spec = containerSpec(folder, randomUUID(), { value }, more);
  await containerizer.launch(spec, new AbortController().signal);
  return spec;
}

it("a persistent volume is read-only for a task that has it so, and only for that task", async (context) => {
  needNamespace(context);
  const before = mounts();
  const reader = await run(`${TRY}; sleep 100`, persistent(Volume_Mode.RO));
  await expect.poll(() => output(reader)).toBe("keptrefused\nown\n");
  const writer = await run(TRY, persistent(Volume_Mode.RW));
  expect((await containerizer.wait(writer.containerId)).status).toBe(0);
  expect(output(writer)).toBe("keptwritten\nown\n");
  // What checks run in its container sees the same.
  const check = create(CommandInfoSchema, { shell: true, value: "grep -q kept data/kept && ! touch data/new2" });
  expect(await containerizer.run(reader.containerId, check, 10_000)).toEqual({ exitCode: 0 });
  expect(mounts()).toBe(before);
});

it("a folder of the host, too, with what is mounted below it, and what forbids more stays forbidden", async (context) => {
  needNamespace(context);
  const host = join(folder, "host");
  mkdirSync(join(host, "below"), { recursive: true });
  writeFileSync(join(host, "kept"), "kept");
  execFileSync("mount", ["-t", "tmpfs", "-o", "nosuid,nodev", "none", join(host, "below")]);
  try {
    const container = create(ContainerInfoSchema, {
      type: ContainerInfo_Type.MESOS,
      volumes: [{ containerPath: "data", hostPath: host, mode: Volume_Mode.RO }],
    });
    const below = `if touch data/below/x 2>/dev/null; then echo written; else echo refused; fi; grep ${host}/below /proc/self/mountinfo | cut -d' ' -f6`;
    const spec = await run(`${TRY}; ${below}`, { container });
    expect((await containerizer.wait(spec.containerId)).status).toBe(0);
    expect(output(spec)).toMatch(/^keptrefused\nown\nrefused\n/);
    expect(output(spec).trim().split("\n").at(-1)).toMatch(/^ro,nosuid,nodev/);
  } finally {
    execFileSync("umount", ["-l", join(host, "below")]);
  }
});

it("without a namespace a persistent volume stays writable and stderr says so; a folder of the host is refused", async (context) => {
  needRoot(context, "losing the right to a namespace");
  const perl = join(folder, "perl");
  writeFileSync(perl, '#!/bin/sh\nexec setpriv --bounding-set -sys_admin perl "$@"\n', { mode: 0o755 });
  await containerizer.close();
  containerizer = openContainerizer(folder, { perl });
  const spec = await run(TRY, persistent(Volume_Mode.RO));
  expect((await containerizer.wait(spec.containerId)).status).toBe(0);
  expect(output(spec)).toBe("keptwritten\nown\n");
  expect(output(spec, "stderr")).toBe(
    "A volume that was to be read-only is writable: cannot unshare the mount namespace: Operation not permitted\n",
  );
  const volumes = [{ containerPath: "data", hostPath: "/usr", mode: Volume_Mode.RO }];
  const container = create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, volumes });
  await expect(run("true", { container })).rejects.toThrow("unshare the mount namespace: Operation not permitted");
});
