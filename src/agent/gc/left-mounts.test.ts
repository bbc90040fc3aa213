import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { MountPoint } from "../model/mount-table.ts";
import { LeftMounts } from "./left-mounts.ts";

let folder: string;
let mounts: MountPoint[];
let lines: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "left-mounts-"));
  mounts = [];
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const mount = (id: number, path: string): MountPoint => ({ id, path, what: "tmpfs /" });
const looking = (workDir: string) =>
  new LeftMounts({ warn: (line) => void lines.push(line) }, workDir, async () => mounts);

it("says of each mount in the sandbox of what has ended, once, and again when it is another", async () => {
  const left = looking(folder);
  const ended = () => [`${folder}/runs/a`, `${folder}/runs/ab`];
  mounts = [
    mount(1, "/"),
    mount(2, `${folder}/runs/a/data`),
    mount(3, `${folder}/runs/running/data`),
    mount(4, "/tmp/x"),
  ];
  await left.look(ended);
  expect(lines).toEqual([
    `'${folder}/runs/a/data' (tmpfs /) was left mounted in '${folder}/runs/a', whose task has ended. It is unmounted when ` +
      `the sandbox is removed; sooner with: umount '${folder}/runs/a/data'`,
  ]);
  await left.look(ended);
  expect(lines).toHaveLength(1);
  mounts = [mount(1, "/")];
  await left.look(ended);
  mounts = [mount(2, `${folder}/runs/ab`)];
  await left.look(ended);
  expect(lines).toHaveLength(2);
});

it("does not go through what has ended when nothing is mounted there", async () => {
  mounts = [mount(1, "/"), mount(2, `${folder}-of-others/x`)];
  await looking(folder).look(() => {
    throw new Error("there is no need to");
  });
});

it("finds them behind a link to the work_dir", async () => {
  symlinkSync(folder, join(folder, "link"));
  mounts = [mount(2, `${folder}/runs/a/data`)];
  await looking(join(folder, "link")).look(() => [join(folder, "link/runs/a")]);
  expect(lines).toHaveLength(1);
});
