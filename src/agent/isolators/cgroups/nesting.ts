import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { handDown } from "./delegation.ts";
import type { Controller } from "./hierarchy.ts";

/** As the linux launcher of Mesos names it: groups of nested containers lie in it, one each. */
const NESTED = "mesos";
/** On v2 no group has both processes and groups below it that are limited: then its own processes are in here. */
const LEAF = "leaf";

/** `<container>/mesos/<child>` for the id of a nested container, whose parts are joined by dots. */
export const groupWay = (id: string): string => id.split(".").join(`/${NESTED}/`);

/** The container that another is nested in; undefined for one that is in none. */
export function parentOf(id: string): string | undefined {
  const at = id.lastIndexOf(".");
  return at < 0 ? undefined : id.slice(0, at);
}

const foldersIn = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : [];

/** Makes room in a container's v2 group for limited ones below it. Throws a UserError when that cannot be. */
export function makeRoom(group: string, controllers: readonly Controller[]): void {
  const nested = join(group, NESTED);
  mkdirSync(nested, { recursive: true });
  const [lacking] = handDown(group, nested, controllers, { leaf: LEAF }).values();
  if (lacking !== undefined) throw lacking;
}

/** The group that a container's own processes enter: on v2, once others are below it, a leaf of it. */
export function memberGroup(group: string, version: 1 | 2): string {
  if (version === 1 || !hasRoom(group)) return group;
  const leaf = join(group, LEAF);
  mkdirSync(leaf, { recursive: true });
  return leaf;
}

/** Whether a v2 group hands controllers down. */
export function hasRoom(group: string): boolean {
  const control = join(group, "cgroup.subtree_control");
  return existsSync(control) && readFileSync(control, "utf8").trim() !== "";
}

/** Ids of the containers nested in one that have a group of their own, given the container's group. */
export const nestedIn = (group: string, id: string): string[] =>
  foldersIn(join(group, NESTED)).map((name) => `${id}.${name}`);

/** All groups below one, the deepest first. */
export const groupsBelow = (group: string): string[] =>
  foldersIn(group).flatMap((name) => [...groupsBelow(join(group, name)), join(group, name)]);
