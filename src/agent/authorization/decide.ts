import type { Entity, Rule } from "./acls.ts";

/**
 * How Mesos' local authorizer decides. `undefined` for a subject is somebody without a name, for an object one that is not
 * known or that nobody can name.
 *
 * Whether a rule is about a request, and what it then says:
 *
 *   rule │  ANY          NONE          values
 *   ─────┼──────────────────────────────────────────────────
 *   named│  yes, allows  yes, refuses  if among them, allows
 *   not  │  yes, allows  yes, refuses  no
 */
interface Request {
  readonly subject: string | undefined;
  readonly object: string | undefined;
  /** Objects are roles: `a/%` is every role below `a`. */
  readonly isRole?: boolean;
}

const isAmong = (values: ReadonlySet<string>, wanted: string, isRole: boolean): boolean =>
  values.has(wanted) ||
  (isRole && [...values].some((value) => value.endsWith("/%") && wanted.startsWith(value.slice(0, -1))));

const isAbout = (entity: Entity, wanted: string | undefined, isRole = false): boolean =>
  entity.type !== "SOME" || (wanted !== undefined && isAmong(entity.values, wanted, isRole));

/** The first rule that is about the request decides; without one, `permissive` does. */
export function decide(rules: readonly Rule[], permissive: boolean, { subject, object, isRole }: Request): boolean {
  const rule = rules.find(
    ({ principals, objects }) => isAbout(principals, subject) && isAbout(objects, object, isRole),
  );
  return rule === undefined ? permissive : rule.principals.type !== "NONE" && rule.objects.type !== "NONE";
}

/** Whether the subject is allowed every object there can be. */
export function allowsEverything(rules: readonly Rule[], permissive: boolean, subject: string | undefined): boolean {
  for (const { principals, objects } of rules) {
    if (!isAbout(principals, subject)) continue;
    const isRefused = principals.type === "NONE" || objects.type === "NONE";
    if (isRefused && !(objects.type === "SOME" && objects.values.size === 0)) return false;
    if (objects.type === "ANY") return true;
  }
  return permissive;
}
