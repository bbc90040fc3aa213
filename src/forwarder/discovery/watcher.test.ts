import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLogger } from "../../base/log.ts";
import { Watcher } from "./watcher.ts";

let place = "";
let watcher: Watcher;
/** What was told, as `folder/name`. */
let told: string[] = [];
let heard: () => void = () => undefined;

beforeEach(() => {
  place = realpathSync(mkdtempSync(join(tmpdir(), "watcher-")));
  told = [];
  watcher = new Watcher(silentLogger, (folder, name) => {
    told.push(`${folder.slice(place.length + 1)}/${name ?? ""}`);
    heard();
  });
});

afterEach(() => {
  watcher.close();
  rmSync(place, { recursive: true });
});

const at = (path: string): string => join(place, path);

async function tells(what: string): Promise<void> {
  while (!told.includes(what)) await new Promise<void>((resolve) => (heard = resolve));
}

/** What a scan does once something was told. */
const follow = (folder: string): boolean => watcher.follow(new Set([at(folder)]));

it.each([
  ["is removed and made anew", () => rmSync(at("logs"), { recursive: true }), "logs/logs"],
  ["is renamed and made anew", () => renameSync(at("logs"), at("old")), "logs/logs"],
])("a folder that %s is watched where it lies", async (_, away, end) => {
  mkdirSync(at("logs"));
  expect([follow("logs"), follow("logs")]).toEqual([true, false]);
  expect(watcher.watches(at("logs"))).toBe(true);
  away();
  mkdirSync(at("logs"));
  await tells(end);
  expect(watcher.watches(at("logs")), "perhaps it is another by now").toBe(false);
  expect([follow("logs"), follow("logs")]).toEqual([true, false]);
  writeFileSync(at("logs/a"), "");
  await tells("logs/a");
});

it("a folder with another one in its place is watched, whatever was told of that", async () => {
  mkdirSync(at("app/logs"), { recursive: true });
  follow("app/logs");
  renameSync(at("app"), at("old"));
  mkdirSync(at("app/logs"), { recursive: true });
  expect([follow("app/logs"), follow("app/logs")]).toEqual([true, false]);
  writeFileSync(at("app/logs/a"), "");
  await tells("app/logs/a");
});

it("a folder that is not there is waited for, those above it too", async () => {
  expect(follow("app/deep/logs")).toBe(false);
  writeFileSync(at("other"), "");
  mkdirSync(at("app"));
  await tells("app/deep/logs/");
  expect(told, "nothing of what else happens above").toEqual(["app/deep/logs/"]);
  expect(follow("app/deep/logs")).toBe(false);
  mkdirSync(at("app/deep/logs"), { recursive: true });
  told = [];
  await tells("app/deep/logs/");
  expect([follow("app/deep/logs"), follow("app/deep/logs")]).toEqual([true, false]);
  writeFileSync(at("app/deep/logs/a"), "");
  await tells("app/deep/logs/a");
});

it("a file of its folder's name does not end the watching", async () => {
  mkdirSync(at("logs"));
  follow("logs");
  writeFileSync(at("logs/logs"), "");
  await tells("logs/logs");
  writeFileSync(at("logs/before"), "");
  await tells("logs/before");
  follow("logs");
  writeFileSync(at("logs/after"), "");
  await tells("logs/after");
});
