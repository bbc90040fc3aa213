import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { claimFolder, folderOf, holdFolder, homeOf } from "./folder.ts";

test("a node on another port has another folder; START_FOLDER wins", () => {
  const where = { checkout: "/app", home: "/home/me", port: 5051 };
  expect(folderOf(undefined, where)).toBe("/app/.node");
  expect(folderOf(undefined, { ...where, port: 5052 })).toBe("/app/.node-5052");
  expect(folderOf(undefined, { ...where, checkout: undefined })).toBe("/home/me/.mesos-slave");
  expect(folderOf("", where)).toBe("/app/.node");
  expect(folderOf("/data/n", { ...where, port: 5052 })).toBe("/data/n");
});

test("a user without a home folder is told to name one", () => {
  const none = (): never => {
    throw new Error("A system error occurred: uv_os_homedir returned ENOENT (no such file or directory)");
  };
  expect(homeOf(() => "/home/me")).toBe("/home/me");
  expect(() => homeOf(none)).toThrow(
    expect.objectContaining({ fix: "say where: START_FOLDER=/var/tmp/mesos-node npm start" }),
  );
});

describe("on disk", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "start-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const uid = process.getuid?.() ?? 0;

  test("a folder of another user: who, and the fix", () => {
    const root = join(folder, ".node");
    claimFolder(root, uid);
    claimFolder(root, uid);
    expect(() => claimFolder(root, uid + 1)).toThrow(/belongs to (root|user \d+): a node was started there/);
    expect(() => claimFolder(root, uid + 1)).toThrow(
      expect.objectContaining({ fix: expect.stringContaining(`sudo chown -R `) }),
    );
  });

  test("a folder that is reached through a link is the one that processes there have", () => {
    mkdirSync(join(folder, "disk"));
    symlinkSync("disk", join(folder, "home"));
    expect(claimFolder(join(folder, "home/node"), uid)).toBe(join(realpathSync(folder), "disk/node"));
  });

  test("a place that cannot be written: the fix", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => claimFolder(join(folder, "file/.node"), uid)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("cannot be made: "),
        fix: "take another folder: START_FOLDER=~/mesos-node npm start",
      }),
    );
  });

  test("two nodes never share a folder; who ends lets go", async () => {
    const first = await holdFolder(folder);
    await expect(holdFolder(folder)).rejects.toMatchObject({
      message: expect.stringContaining(`a node runs from ${folder} already`),
      fix: expect.stringMatching(`^stop it with Ctrl-C where it was started \\(or kill ${process.pid}\\), or `),
    });
    first.close();
    await once(first, "close");
    const second = await holdFolder(folder);
    second.close();
  });
});
