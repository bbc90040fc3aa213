import { readFileSync, statSync } from "node:fs";
import type * as z from "zod";
import { messageOf, UserError } from "../../base/errors.ts";
import { configFilesAt, leftOutWords } from "../../config/config-files.ts";
import { type LocatedJson, parseLocated, prepareText } from "../../config/located-json.ts";
import { itemOf } from "./docs.ts";
import { placeOf } from "./place.ts";
import { type Config, configSchema, fileShape, multilineShape, sectionShapes } from "./schema.ts";
import { tolerated } from "./tolerance.ts";
import { problemOf } from "./words.ts";

/** A configuration larger than this is a mistake. */
const LARGEST = 10 * 1024 ** 2;

export interface LoadedConfig {
  readonly config: Config;
  /** The files it was read from. */
  readonly files: readonly string[];
}

/** Options per place, for suggestions and for what they take. */
const shapes: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  "": configSchema.shape,
  ...sectionShapes,
  files: fileShape,
  multiline: multilineShape,
};

function readText(file: string): string {
  try {
    if (statSync(file).size > LARGEST) throw new UserError(`'${file}' is larger than 10 MB`, "is it a configuration?");
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `cannot read the configuration '${file}': ${messageOf(error)}`,
      "make it readable for this user",
    );
  }
}

/** The schema's complaint as a user reads it: file, line, what was given, what is taken. `path` as it was written. */
function describe(file: string, json: LocatedJson, issue: z.core.$ZodIssue, path: readonly PropertyKey[]): UserError {
  const value = path.reduce<unknown>(
    (part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key],
    json.value,
  );
  const place = path.length === 0 ? "the configuration" : `'${placeOf(path)}'`;
  return new UserError(
    `${file}:${json.lineOf(path)}: ${place}: ${problemOf(issue, schemaOf(path), value)}`,
    takenBy(path),
  );
}

/** Section and option of a path: `files[0].paths[1]` → `files`, `paths`. */
function optionOf(path: readonly PropertyKey[]): readonly [section: string, key: string] {
  const names = path.filter((part) => typeof part === "string");
  const [section = "", key = ""] =
    names[0] === "files" && names[1] === "multiline" && names[2] !== undefined
      ? names.slice(1)
      : names.length === 1
        ? ["", names[0]]
        : names;
  return [section, key];
}

/** The schema of what stands at `path`: of a list's item where it leads into a list. */
function schemaOf(path: readonly PropertyKey[]): z.ZodType | undefined {
  const [section, key] = optionOf(path);
  const schema = shapes[section]?.[key];
  if (schema === undefined || typeof path.at(-1) !== "number") return schema;
  return itemOf(schema);
}

/** What the option at `path` takes, by the schema's own description. */
function takenBy(path: readonly PropertyKey[]): string {
  const [section, key] = optionOf(path);
  const description = shapes[section]?.[key]?.description;
  return description === undefined ? "see docs/forwarder.md for what it takes" : `'${key}' takes: ${description}`;
}

/** Puts files together: servers and files are added up, anything else may be said once. */
function merge(
  into: Record<string, unknown>,
  from: Record<string, unknown>,
  path: string[],
  file: string,
  json: LocatedJson,
): void {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    if (old === undefined) into[key] = value;
    else if (Array.isArray(old) && Array.isArray(value)) into[key] = [...old, ...value];
    else if (path.length === 0 && typeof old === "object" && typeof value === "object")
      merge(old as Record<string, unknown>, value as Record<string, unknown>, [key], file, json);
    else if (JSON.stringify(old) !== JSON.stringify(value)) {
      throw new UserError(
        `${file}:${json.lineOf([...path, key])}: '${key}' is already set to ${JSON.stringify(old)} in another file`,
        "set it in one file only",
      );
    }
  }
}

/**
 * Reads a configuration file or a folder of them. Throws a UserError with file, line and fix. `environment` is what
 * `$VAR` is looked up in; `warn` hears what is let pass, also when it throws afterwards.
 */
export function loadConfig(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  warn: (message: string) => void = () => undefined,
): LoadedConfig {
  const { files, leftOut } = configFilesAt(path);
  for (const file of leftOut) warn(leftOutWords(file));
  const merged: Record<string, unknown> = {};
  for (const file of files) {
    const prepared = prepareText(readText(file), (name) => environment[name]);
    for (const warning of prepared.warnings) warn(`${file}: ${warning}`);
    if (prepared.text.trim() === "") {
      warn(`${file} is empty`);
      continue;
    }
    const json = parseLocated(file, prepared);
    for (const { line, message } of json.warnings) warn(`${file}:${line}: ${message}`);
    const { value, original } = tolerated(json.value, {
      warn: (at, message) => warn(`${file}:${json.lineOf(at)}: ${message}`),
    });
    const issue = configSchema.safeParse(value).error?.issues[0];
    if (issue !== undefined) throw describe(file, json, issue, original(issue.path));
    merge(merged, structuredClone(value) as Record<string, unknown>, [], file, json);
  }
  const config = configSchema.parse(merged);
  if (config.files.length === 0)
    throw new UserError(`'${path}' names no files to follow`, 'add a section "files": [{"paths": ["/var/log/*.log"]}]');
  return { config, files };
}
