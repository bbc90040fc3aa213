import { isIPv6 } from "node:net";
import { nearest } from "../../base/nearest.ts";
import { placeOf } from "./place.ts";
import { fileShape, multilineShape, sectionShapes } from "./schema.ts";

/**
 * What the old program let pass: it ran for years with keys that mean nothing, `null`, empty texts and zeros. Here they
 * are taken out before the schema is asked, each with a warning; what is left is checked strictly.
 */
export interface Tolerance {
  /** Says something about the part at `path`. */
  warn(path: readonly (string | number)[], message: string): void;
}

/** A configuration of which nothing meaningless is left, and where its `files` stood. */
export interface Tolerated {
  readonly value: unknown;
  /** The path in what was given of the part at `path` in `value`. */
  original(path: readonly PropertyKey[]): readonly PropertyKey[];
}

type Json = Record<string, unknown>;
type Shape = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Options for which 0 is the default, as `"timeout": 0` always was: nothing else could be meant. */
const ZERO_IS_DEFAULT = new Set([
  "timeout",
  "maximum wait",
  "backoff initial",
  "backoff maximum",
  "scan interval",
  "bulk size",
  "window size",
  "memory",
  "buffer size",
  "maximum open files",
  "maximum line",
  "maximum lines",
]);

const isZero = (value: unknown): boolean =>
  value === 0 || (typeof value === "string" && /^0+(\.0*)?\s*[a-z\u00b5]*$/i.test(value.trim()));

/** Fields that would take the place of ours; `message` is left out of version 2 only, see the encoder. */
const OURS = new Set(["line", "offset", "@timestamp"]);

/** `value` without what means nothing. What is not of the right kind at all is left for the schema to refuse. */
export function tolerated(value: unknown, tolerance: Tolerance): Tolerated {
  if (!isObject(value)) return { value, original: (path) => path };
  const config = options(value, [], { ...sectionShapes, files: fileShape }, tolerance);
  for (const [section, shape] of Object.entries(sectionShapes))
    if (isObject(config[section])) config[section] = options(config[section], [section], shape, tolerance);
  if (isObject(config["network"])) addresses(config["network"], tolerance);
  const { files } = config;
  if (!Array.isArray(files)) return { value: config, original: (path) => path };
  const kept = files.map((file, index) => ({ index, file: entry(file, index, tolerance) })).filter(({ file }) => file);
  config["files"] = kept.map(({ file }) => file);
  return {
    value: config,
    original: ([first, second, ...rest]) =>
      first === "files" && typeof second === "number"
        ? [first, kept[second]?.index ?? second, ...rest]
        : [first, second, ...rest].filter((part) => part !== undefined),
  };
}

/** The options of one section that mean something. */
function options(given: Json, path: readonly (string | number)[], shape: Shape, tolerance: Tolerance): Json {
  const kept: Json = {};
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(shape, key)) unknown(key, path, shape, tolerance);
    else if (value === null) tolerance.warn([...path, key], `'${key}' is null: taken as not set`);
    else if (value === "") tolerance.warn([...path, key], `'${key}' is empty: taken as not set`);
    else if (!(ZERO_IS_DEFAULT.has(key) && isZero(value))) kept[key] = value;
  }
  return kept;
}

function unknown(key: string, path: readonly (string | number)[], shape: Shape, { warn }: Tolerance): void {
  const close = nearest(key, Object.keys(shape));
  const where = path.length === 0 ? "no section" : `no option of '${placeOf(path)}'`;
  warn(
    [...path, key],
    `'${key}' is ${where} and means nothing${close === undefined ? "" : `; did you mean '${close}'?`}`,
  );
}

/** Lists without nulls and empty texts. */
function items(list: readonly unknown[], path: readonly (string | number)[], { warn }: Tolerance): unknown[] {
  return list.filter((item, index) => {
    if (item !== null && item !== "") return true;
    warn([...path, index], `an empty item of '${path.at(-1)}' means nothing`);
    return false;
  });
}

/** The old program took an IPv6 address without its brackets, and an empty one beside others. */
function addresses(network: Json, tolerance: Tolerance): void {
  const { warn } = tolerance;
  if (!Array.isArray(network["servers"])) return;
  const given = items(network["servers"], ["network", "servers"], { warn: () => undefined });
  // Of an empty one alone the schema says what may be wrong.
  const servers =
    given.length === 0 ? network["servers"] : items(network["servers"], ["network", "servers"], tolerance);
  network["servers"] = servers.map((server: unknown, index) => {
    const match = typeof server === "string" ? /^([^[\]]*:[^[\]]*):(\d+)$/.exec(server.trim()) : null;
    if (match === null || !isIPv6(match[1] ?? "")) return typeof server === "string" ? server.trim() : server;
    const bracketed = `[${match[1]}]:${match[2]}`;
    warn(["network", "servers", index], `'${server}' is taken as '${bracketed}'`);
    return bracketed;
  });
}

/** One entry of `files`; undefined when it names no file. */
function entry(file: unknown, index: number, tolerance: Tolerance): unknown {
  if (file !== null && !isObject(file)) return file;
  const path = ["files", index];
  const kept = file === null ? {} : options(file, path, fileShape, tolerance);
  for (const key of ["paths", "exclude", "include lines", "exclude lines"])
    if (Array.isArray(kept[key])) kept[key] = items(kept[key], [...path, key], tolerance);
  const { paths, fields: extra, multiline } = kept;
  if (paths === undefined || (Array.isArray(paths) && paths.length === 0)) {
    tolerance.warn(path, "an entry of 'files' without 'paths' means nothing");
    return undefined;
  }
  if (isObject(extra)) kept["fields"] = fields(extra, [...path, "fields"], tolerance);
  if (isObject(multiline)) kept["multiline"] = options(multiline, [...path, "multiline"], multilineShape, tolerance);
  return kept;
}

function fields(given: Json, path: readonly (string | number)[], { warn }: Tolerance): Json {
  const kept: Json = {};
  for (const [name, value] of Object.entries(given)) {
    if (name === "") warn([...path, name], "a field without a name is left out");
    else if (OURS.has(name)) warn([...path, name], `the field '${name}' is left out: every event has one of its own`);
    else {
      if (name === "message")
        warn([...path, name], "the field 'message' stands beside the line in version 1, and is left out in version 2");
      kept[name] = value ?? "";
    }
  }
  return kept;
}
