import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { messageOf, UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import {
  type Config,
  configSchema,
  fileShape,
  monitoringShape,
  multilineShape,
  networkShape,
  readingShape,
  registryShape,
  shippingShape,
} from "./schema.ts";
import { type LocatedJson, parseLocated, prepareText } from "./source-text.ts";

/** A configuration larger than this is a mistake. */
const LARGEST = 10 * 1024 ** 2;

export interface LoadedConfig {
  readonly config: Config;
  /** The files it was read from. */
  readonly files: readonly string[];
  readonly warnings: readonly string[];
}

/** Options per place, for suggestions and for what they take. */
const shapes: Readonly<Record<string, Readonly<Record<string, { readonly description?: string | undefined }>>>> = {
  "": configSchema.shape,
  network: networkShape,
  files: fileShape,
  multiline: multilineShape,
  shipping: shippingShape,
  reading: readingShape,
  registry: registryShape,
  monitoring: monitoringShape,
};

/** The file, or the files of a folder in the order of their names; hidden ones and editors' copies are left out. */
function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !/^\.|~$|\.(bak|swp|orig|rpmnew|dpkg-\w+)$/.test(entry.name))
      .map(({ name }) => join(path, name))
      .sort();
  } catch (error) {
    throw new UserError(
      `cannot read the configuration '${path}': ${messageOf(error)}`,
      "give an existing file or folder to -config",
    );
  }
}

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

function describe(file: string, json: LocatedJson, issue: z.core.$ZodIssue): UserError {
  const place = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : String(part)))
    .join(".")
    .replaceAll(".[", "[");
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0] ?? "";
    const last = issue.path.findLast((part) => typeof part === "string") ?? "";
    const options = Object.keys(shapes[String(last)] ?? {});
    const close = nearest(key, options);
    const where = place === "" ? "a section" : `an option of '${place}'`;
    return new UserError(
      `${file}:${json.lineOf([...issue.path, key])}: '${key}' is not ${where}`,
      close === undefined ? `remove it; there are: ${options.join(", ")}` : `did you mean '${close}'?`,
    );
  }
  // What a union tried last says the most: the text form.
  const inner =
    issue.code === "invalid_union" ? issue.errors.flat().findLast(({ code }) => code === "custom") : undefined;
  const message = inner?.message ?? issue.message;
  return new UserError(`${file}:${json.lineOf(issue.path)}: '${place}': ${message}`, takenBy(issue.path));
}

/** What the option at `path` takes, by the schema's own description. */
function takenBy(path: readonly PropertyKey[]): string {
  const names = path.filter((part) => typeof part === "string");
  const [section = "", key = ""] = names.length === 1 ? ["", names[0]] : names.slice(-2);
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
 * `$VAR` is looked up in.
 */
export function loadConfig(path: string, environment: Readonly<Record<string, string | undefined>>): LoadedConfig {
  const files = filesAt(path);
  const warnings: string[] = [];
  const merged: Record<string, unknown> = {};
  for (const file of files) {
    const prepared = prepareText(readText(file), environment);
    warnings.push(...prepared.warnings.map((warning) => `${file}: ${warning}`));
    if (prepared.text.trim() === "") {
      warnings.push(`${file} is empty`);
      continue;
    }
    const json = parseLocated(file, prepared);
    const checked = configSchema.safeParse(json.value);
    const issue = checked.error?.issues[0];
    if (issue !== undefined) throw describe(file, json, issue);
    merge(merged, structuredClone(json.value) as Record<string, unknown>, [], file, json);
  }
  const config = configSchema.parse(merged);
  if (config.files.length === 0)
    throw new UserError(`'${path}' names no files to follow`, 'add a section "files": [{"paths": ["/var/log/*.log"]}]');
  return { config, files, warnings };
}
