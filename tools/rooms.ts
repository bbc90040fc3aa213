/**
 * The rooms of the house and who may import whom: one table. The check below and the picture in docs/ARCHITECTURE.md are
 * made from it.
 *
 *   node tools/run.cjs tools/rooms.ts --check   fail on an import that the table does not allow
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export interface Room {
  /** Folder below src/. */
  readonly name: string;
  readonly purpose: string;
  /** Rooms whose files it may import, besides its own. */
  readonly mayImport: readonly string[];
  /**
   * Its folders, floor by floor from the ground: a folder may import what lies on a lower floor, never what lies beside or
   * above it. The files directly in the room stand above all of them. Absent: its files import each other freely.
   */
  readonly floors?: readonly (readonly string[])[];
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
  {
    name: "http",
    purpose: "one way to answer HTTP: routes, what stands before them, origins, bodies",
    mayImport: ["base"],
  },
  {
    name: "libprocess",
    purpose: "UPIDs, framing, links, messages and HTTP on one port",
    mayImport: [...vocabulary, "http"],
  },
  { name: "zookeeper", purpose: "zk:// urls, group watch, leader detector", mayImport: vocabulary },
  { name: "supervisor", purpose: "supervisord's own API, over its socket", mayImport: ["base"] },
  { name: "docker", purpose: "the part of the Engine API that we need", mayImport: vocabulary },
  {
    name: "agent",
    purpose: "the Mesos agent",
    mayImport: [...wires, "http", "supervisor"],
    floors: [
      ["model"],
      [
        "acknowledged",
        "address",
        "authorization",
        "checkpoint",
        "fetcher",
        "gc",
        "health",
        "metrics",
        "resources",
        "sandbox",
        "users",
      ],
      ["flags", "reservations", "status-updates"],
      ["isolators"],
      ["containerizer"],
      ["settings"],
      ["tasks"],
      ["operations"],
      ["recovery"],
      ["master"],
      ["http"],
    ],
  },
  {
    name: "forwarder",
    purpose: "follows files, ships them over Lumberjack",
    mayImport: [...vocabulary, "http"],
    floors: [["model"], ["config", "lumberjack", "registrar"], ["batching", "reading"], ["discovery"], ["monitoring"]],
  },
  { name: "client", purpose: "speaking HTTP with agents and masters, as their clients do", mayImport: vocabulary },
  { name: "init", purpose: "environment to settings to supervisord's configuration; doctor", mayImport: wires },
  { name: "redpill", purpose: "the watchdog", mayImport: [...vocabulary, "supervisor"] },
  { name: "local-master", purpose: "the embedded development master", mayImport: [...wires, "http"] },
  { name: "execute", purpose: "mesos-execute", mayImport: [...wires, "client"] },
  {
    name: "cli",
    purpose: "the commands of mesos-slave: tasks, logs, exec, attach, top, drain",
    mayImport: [...wires, "client"],
  },
  {
    name: "main",
    purpose: "one short file per program; only here: process.env, process.argv, process.exit",
    mayImport: [
      ...wires,
      "supervisor",
      "agent",
      "forwarder",
      "init",
      "redpill",
      "local-master",
      "client",
      "execute",
      "cli",
    ],
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
  const [fromRoom = ""] = from.split("/");
  const [toRoom = ""] = to.split("/");
  const room = rooms.find(({ name }) => name === fromRoom);
  if (room === undefined) return `${from}: room '${fromRoom}' is not in tools/rooms.ts`;
  if (to.startsWith("..")) return `${from} imports ${to}, outside src/`;
  if (fromRoom !== toRoom) {
    return room.mayImport.includes(toRoom) ? undefined : `${from} imports ${to}: ${fromRoom} may not import ${toRoom}`;
  }
  return room.floors === undefined ? undefined : floorViolation(room.floors, from, to);
}

/** The floor of a path of a room with floors; above them all for a file directly in the room. */
function floorOf(floors: NonNullable<Room["floors"]>, [, folder, ...below]: readonly string[]): number {
  return below.length === 0 ? floors.length : floors.findIndex((floor) => floor.includes(folder ?? ""));
}

function floorViolation(floors: NonNullable<Room["floors"]>, from: string, to: string): string | undefined {
  const [source, target] = [from.split("/"), to.split("/")];
  const [own, other] = [floorOf(floors, source), floorOf(floors, target)];
  const homeless = own === -1 ? from : other === -1 ? to : undefined;
  if (homeless !== undefined) return `${homeless}: its folder has no floor in tools/rooms.ts`;
  if (own === floors.length || other < own || (own === other && source[1] === target[1])) return undefined;
  return `${from} imports ${to}, which lies ${own === other ? "beside" : "above"} it (tools/rooms.ts)`;
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
  const found = violations();
  for (const line of found) console.error(line);
  process.exitCode = found.length === 0 ? 0 : 1;
}
