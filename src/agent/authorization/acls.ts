import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { type ActionName, AUTHORIZABLE_PATHS, actions } from "./actions.ts";

/** Whom or what a rule is about. `none` means that nobody, or nothing, is allowed. */
export type Entity =
  | { readonly type: "ANY" }
  | { readonly type: "NONE" }
  | { readonly type: "SOME"; readonly values: ReadonlySet<string> };

export interface Rule {
  readonly principals: Entity;
  readonly objects: Entity;
}

/** The content of --acls. */
export interface Acls {
  /** What no rule matches is allowed. */
  readonly permissive: boolean;
  /** In the file's order, which decides. */
  readonly rules: ReadonlyMap<ActionName, readonly Rule[]>;
  /** The file as it was, for /flags. */
  toJSON(): unknown;
}

const RULE =
  'write {"permissive": false, "view_tasks": [{"principals": {"values": ["ops"]}, "users": {"type": "ANY"}}]}';
const ENTITY = 'write {"values": ["…"]}, {"type": "ANY"} or {"type": "NONE"}';

type Members = Readonly<Record<string, unknown>>;

function objectAt(value: unknown, where: string, fix: string): Members {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Members;
  throw new UserError(`${where} is not a JSON object`, fix);
}

/** Members by name, none but `known`. A misspelt one would be a rule that is not there. */
function checkMembers(found: Members, known: readonly string[], where: string): void {
  for (const name of Object.keys(found)) {
    if (known.includes(name)) continue;
    const like = nearest(name, known);
    throw new UserError(
      `${where} has an unknown member '${name}'`,
      like === undefined ? `there are ${known.join(" and ")}` : `did you mean '${like}'?`,
    );
  }
}

/** For the flag's table: the ACLs of a JSON value. Throws a UserError that names the place and the fix. */
export function parseAcls(value: unknown): Acls {
  const file = objectAt(value, "the value", RULE);
  const permissive = file["permissive"] ?? true;
  if (typeof permissive !== "boolean")
    throw new UserError("'permissive' is not a boolean", "write true (what no rule matches is allowed) or false");
  const names = Object.keys(actions) as ActionName[];
  const rules = new Map<ActionName, readonly Rule[]>();
  for (const [name, list] of Object.entries(file)) {
    if (name === "permissive") continue;
    if (!Object.hasOwn(actions, name)) {
      const like = nearest(name, names);
      const fix = like === undefined ? "see docs/authorization.md for the actions" : `did you mean '${like}'?`;
      throw new UserError(`there is no action '${name}'`, fix);
    }
    if (!Array.isArray(list)) throw new UserError(`'${name}' is not a list of rules`, RULE);
    const action = name as ActionName;
    rules.set(
      action,
      list.map((one: unknown, index) => parseRule(action, one, `rule ${index + 1} of '${name}'`)),
    );
  }
  return { permissive, rules, toJSON: () => value };
}

function parseRule(action: ActionName, value: unknown, where: string): Rule {
  const { objects, kind } = actions[action];
  const found = objectAt(value, where, RULE);
  checkMembers(found, ["principals", objects], where);
  const entity = (name: string): Entity => {
    if (found[name] === undefined) throw new UserError(`${where} has no '${name}'`, ENTITY);
    return parseEntity(found[name], `'${name}' of ${where}`);
  };
  const rule = { principals: entity("principals"), objects: entity(objects) };
  if (rule.objects.type !== "SOME") return rule;
  if (kind === "implicit")
    throw new UserError(`'${objects}' of ${where} names values, but only ANY and NONE mean something here`, ENTITY);
  if (kind === "path") checkPaths(rule.objects.values, where);
  return rule;
}

function parseEntity(value: unknown, where: string): Entity {
  const found = objectAt(value, where, ENTITY);
  checkMembers(found, ["type", "values"], where);
  const { type = "SOME", values } = found;
  if (values !== undefined && !(Array.isArray(values) && values.every((one) => typeof one === "string")))
    throw new UserError(`the values of ${where} are not a list of strings`, ENTITY);
  if (type === "ANY" || type === "NONE") return { type };
  if (type !== "SOME") throw new UserError(`the type of ${where} is ${JSON.stringify(type)}`, ENTITY);
  if (values === undefined) throw new UserError(`${where} has neither a type nor values`, ENTITY);
  return { type, values: new Set(values as string[]) };
}

function checkPaths(paths: ReadonlySet<string>, where: string): void {
  const known: readonly string[] = AUTHORIZABLE_PATHS;
  for (const path of paths) {
    if (known.includes(path)) continue;
    const like = nearest(path, known);
    throw new UserError(
      `${where} names '${path}', which is not decided by path`,
      like === undefined ? `there are ${known.join(", ")}` : `did you mean '${like}'?`,
    );
  }
}
