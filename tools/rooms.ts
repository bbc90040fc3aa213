/**
 * The rooms of the house and who may import whom: one table. The lint rules (biome.json), the check below and the
 * picture in docs/ARCHITECTURE.md are all made from it.
 *
 *   node tools/run.cjs tools/rooms.ts --check   fail on an import that the table does not allow, or a stale biome.json
 *   node tools/run.cjs tools/rooms.ts --write   write the lint rules into biome.json
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export interface Room {
  /** Folder below src/. */
  readonly name: string;
  readonly purpose: string;
  /** Rooms whose files it may import, besides its own. */
  readonly mayImport: readonly string[];
  /** Its folders are rooms that never import each other; only the files directly in it join them. */
  readonly hasInnerRooms?: true;
  /** Inner folders that every other inner folder may import: shared vocabulary. */
  readonly shared?: readonly string[];
}

const vocabulary = ["base", "config", "mesos"];
const wires = [...vocabulary, "libprocess", "zookeeper", "docker"];

export const rooms: readonly Room[] = [
  { name: "base", purpose: "clock, duration, bytes, backoff, durable files, queues, errors, logger", mayImport: [] },
  { name: "config", purpose: "flag tables: a row, Mesos' grammar, help, docs", mayImport: ["base"] },
  {
    name: "mesos",
    purpose: "the vocabulary: messages, ids, resources, task states, JSON forms",
    mayImport: ["base", "config"],
  },
  { name: "libprocess", purpose: "UPIDs, framing, links, messages and HTTP on one port", mayImport: vocabulary },
  { name: "zookeeper", purpose: "zk:// urls, group watch, leader detector", mayImport: vocabulary },
  { name: "docker", purpose: "the part of the Engine API that we need", mayImport: vocabulary },
  {
    name: "agent",
    purpose: "the Mesos agent",
    mayImport: wires,
    hasInnerRooms: true,
    shared: ["model"],
  },
  {
    name: "forwarder",
    purpose: "follows files, ships them over Lumberjack",
    mayImport: vocabulary,
    hasInnerRooms: true,
    shared: ["model"],
  },
  { name: "init", purpose: "environment to settings to supervisord's configuration; doctor", mayImport: wires },
  { name: "redpill", purpose: "the watchdog", mayImport: vocabulary },
  { name: "local-master", purpose: "the embedded development master", mayImport: wires },
  { name: "execute", purpose: "mesos-execute", mayImport: wires },
  {
    name: "main",
    purpose: "one short file per program; only here: process.env, process.argv, process.exit",
    mayImport: [...wires, "agent", "forwarder", "init", "redpill", "local-master", "execute"],
  },
];

const root = resolve(import.meta.dirname, "..");
const source = join(root, "src");

function* sourceFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sourceFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

const importPattern = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)["'](\.[^"']*)["']/g;

/** The imports of `file` (relative ones), as paths relative to src/. */
export function importsOf(file: string, text: string): string[] {
  return [...text.matchAll(importPattern)].map((match) => relative(source, resolve(dirname(file), match[1] ?? "")));
}

/** Why a file of src/ may not import another one; undefined when it may. Paths are relative to src/. */
export function violation(from: string, to: string): string | undefined {
  const [fromRoom = "", ...fromRest] = from.split("/");
  const [toRoom = "", ...toRest] = to.split("/");
  const room = rooms.find(({ name }) => name === fromRoom);
  if (room === undefined) return `${from}: room '${fromRoom}' is not in tools/rooms.ts`;
  if (to.startsWith("..")) return `${from} imports ${to}, outside src/`;
  if (fromRoom !== toRoom) {
    return room.mayImport.includes(toRoom) ? undefined : `${from} imports ${to}: ${fromRoom} may not import ${toRoom}`;
  }
  // Files directly in a room join its inner rooms and may import all of them.
  if (!room.hasInnerRooms || fromRest.length < 2) return undefined;
  if (toRest.length < 2) return `${from} imports ${to}, which joins the rooms of ${fromRoom}/`;
  const [inner, target] = [fromRest[0], toRest[0] ?? ""];
  if (inner === target || room.shared?.includes(target)) return undefined;
  return `${from} imports ${to}: rooms of ${fromRoom}/ meet only in the files directly in it`;
}

/** Biome's rule per room: the paths that its files may not import. */
function lintOverrides(): object[] {
  return rooms.map((room) => {
    const forbidden = rooms
      .filter(({ name }) => name !== room.name && !room.mayImport.includes(name))
      .map(({ name }) => name);
    const patterns = forbidden.map((name) => ({
      group: [`../${name}/**`, `../../${name}/**`, `../../../${name}/**`],
      message: `${room.name} may not import ${name} (tools/rooms.ts)`,
    }));
    const rules = room.name === "main" ? {} : { noProcessEnv: "error" };
    return {
      includes: [`src/${room.name}/**/*.ts`],
      linter: { rules: { style: { ...rules, noRestrictedImports: { level: "error", options: { patterns } } } } },
    };
  });
}

function biomeConfiguration(): string {
  const path = join(root, "biome.json");
  const configuration = JSON.parse(readFileSync(path, "utf8")) as { overrides?: { includes: string[] }[] };
  const own = (configuration.overrides ?? []).filter(({ includes }) => !includes[0]?.startsWith("src/"));
  return `${JSON.stringify({ ...configuration, overrides: [...own, ...lintOverrides()] }, null, 2)}\n`;
}

/** Every import of src/ that the table does not allow. */
export function violations(): string[] {
  const found: string[] = [];
  for (const file of sourceFiles(source)) {
    const from = relative(source, file);
    if (from.startsWith("mesos/gen/")) continue;
    const isTest = from.endsWith(".test.ts");
    for (const to of importsOf(file, readFileSync(file, "utf8"))) {
      if (isTest && to.startsWith("../test/support/")) continue;
      const why = violation(from, to);
      if (why !== undefined) found.push(why);
    }
  }
  return found;
}

if (import.meta.main) {
  const path = join(root, "biome.json");
  if (process.argv.includes("--write")) writeFileSync(path, biomeConfiguration());
  else {
    const found = violations();
    if (readFileSync(path, "utf8") !== biomeConfiguration())
      found.push("biome.json is stale: run `node tools/run.cjs tools/rooms.ts --write`");
    for (const line of found) console.error(line);
    process.exitCode = found.length === 0 ? 0 : 1;
  }
}
