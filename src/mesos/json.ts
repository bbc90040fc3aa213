import type { DescEnum, DescField, DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { create, ScalarType } from "@bufbuild/protobuf";
import { MessageError, missingRequired } from "./codec.ts";
import { DEEPEST, jsonProblem } from "./cost.ts";
import { Value_ScalarSchema } from "./gen/mesos/v1/mesos_pb.ts";
import { finite, type Json, jsonText, parseJson } from "./json-text.ts";
import { fieldValue } from "./json-values.ts";
import { wellFormed } from "./text.ts";

/**
 * Messages as the JSON that Mesos reads and writes: proto field names, enums by name, bytes in base64, 64-bit integers as
 * numbers, maps as objects.
 */

export interface WriteOptions {
  /** `v0`: slave_id, SOURCE_SLAVE, REASON_SLAVE_…; as in /state, in json.info_ znodes and in every unversioned endpoint. */
  readonly names?: "v0" | "v1";
  /** Write unset fields that declare a default and are not deprecated, as masters and agents do. Default true. */
  readonly defaults?: boolean;
}

export interface ReadOptions {
  /** Also take v0 names (slave_id, SOURCE_SLAVE). */
  readonly v0?: boolean;
}

const V0_FIELDS: Readonly<Record<string, string>> = { agent_id: "slave_id", agent_info: "slave_info" };
const V1_FIELDS: Readonly<Record<string, string>> = { slave_id: "agent_id", slave_info: "agent_info" };

/** The v0 spelling of an enum value's name. */
const v0EnumName = (name: string): string => name.replace(/^(SOURCE|REASON)_AGENT(?=_|$)/, "$1_SLAVE");
const v1EnumName = (name: string): string => name.replace(/^(SOURCE|REASON)_SLAVE(?=_|$)/, "$1_AGENT");

/** Messages that Mesos 1.11 writes by hand, empty lists and all; clients index them. All others leave empty lists out. */
const ALWAYS_LISTED: ReadonlySet<string> = new Set(
  ["GetTasks", "GetExecutors", "GetFrameworks"].map((name) => `mesos.v1.agent.Response.${name}`),
);

/** Whether lists of such a message are written although they are empty. */
export const isAlwaysListed = ({ typeName }: DescMessage): boolean => ALWAYS_LISTED.has(typeName);

interface FieldWriter {
  readonly name: string;
  readonly v0Name: string;
  readonly local: string;
  readonly list: boolean;
  readonly map: boolean;
  /** A list that is written although empty. */
  readonly always: boolean;
  /** Written although unset. */
  readonly hasDefault: boolean;
  readonly write: (value: unknown, options: WriteOptions) => Json;
}

const writers = new WeakMap<DescMessage, readonly FieldWriter[]>();
const enumNames = new WeakMap<DescEnum, ReadonlyMap<number, { v0: string; v1: string }>>();

function namesOf(descriptor: DescEnum): ReadonlyMap<number, { v0: string; v1: string }> {
  let names = enumNames.get(descriptor);
  if (names === undefined) {
    names = new Map(descriptor.values.map(({ number, name }) => [number, { v0: v0EnumName(name), v1: name }]));
    enumNames.set(descriptor, names);
  }
  return names;
}

const plain = (value: unknown): Json => value as Json;
const base64 = (value: unknown): Json => Buffer.from(value as Uint8Array).toString("base64");
const double = (value: unknown): Json => finite(value as number);
/** A scalar's amount: of a limit, infinity is a value, and 0 would say the opposite. Mesos reads the word. */
const amount = (value: unknown): Json => (value === Number.POSITIVE_INFINITY ? "Infinity" : double(value));

function valueWriter(field: DescField): FieldWriter["write"] {
  if (field.enum !== undefined) {
    const names = namesOf(field.enum);
    return (value, options) => names.get(value as number)?.[options.names ?? "v1"] ?? String(value);
  }
  if (field.message !== undefined) {
    const child = field.message;
    return (value, options) => objectOf(child, value as Message, options);
  }
  if (field.scalar === ScalarType.BYTES) return base64;
  if (field.parent.typeName === Value_ScalarSchema.typeName) return amount;
  return field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT ? double : plain;
}

function writersOf(descriptor: DescMessage): readonly FieldWriter[] {
  const known = writers.get(descriptor);
  if (known !== undefined) return known;
  const made = descriptor.fields.map((field) => ({
    name: field.name,
    v0Name: V0_FIELDS[field.name] ?? field.name,
    local: field.localName,
    list: field.fieldKind === "list",
    map: field.fieldKind === "map",
    always: isAlwaysListed(descriptor),
    hasDefault: field.proto.defaultValue !== "" && field.proto.options?.deprecated !== true,
    write: valueWriter(field),
  }));
  writers.set(descriptor, made);
  return made;
}

function objectOf(descriptor: DescMessage, message: Message, options: WriteOptions): Json {
  const result: Record<string, Json> = {};
  const fields = message as unknown as Record<string, unknown>;
  for (const field of writersOf(descriptor)) {
    const value = fields[field.local];
    if (value === undefined) continue;
    const name = options.names === "v0" ? field.v0Name : field.name;
    if (field.list) {
      const items = value as unknown[];
      if (items.length > 0 || field.always) result[name] = items.map((item) => field.write(item, options));
    } else if (field.map) {
      const entries = Object.entries(value as Record<string, unknown>);
      if (entries.length > 0)
        result[name] = Object.fromEntries(entries.map(([key, item]) => [key, field.write(item, options)]));
    } else if (Object.hasOwn(fields, field.local) || (field.hasDefault && options.defaults !== false)) {
      result[name] = field.write(value, options);
    }
  }
  return result;
}

/** The JSON tree of a message; 64-bit integers are bigints, which `jsonText` prints as numbers. */
export function toJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  options: WriteOptions = {},
): { [key: string]: Json } {
  return objectOf(schema, message, options) as { [key: string]: Json };
}

/** The JSON text of a message. */
export function encodeJson<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  options: WriteOptions = {},
): string {
  return jsonText(toJson(schema, message, options));
}

const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

function fieldNamed(descriptor: DescMessage, name: string, options: ReadOptions): DescField | undefined {
  let fields = fieldsByName.get(descriptor);
  if (fields === undefined) {
    fields = new Map(descriptor.fields.map((field) => [field.name, field]));
    fieldsByName.set(descriptor, fields);
  }
  return fields.get(name) ?? (options.v0 ? fields.get(V1_FIELDS[name] ?? "") : undefined);
}

interface Place {
  readonly root: string;
  readonly path: string;
  readonly depth: number;
}

/** The value of one (element of a) field; undefined: leave it out. */
function readValue(field: DescField, value: Json, options: ReadOptions, place: Place): unknown {
  if (value === null) return undefined;
  if (field.enum !== undefined) {
    if (typeof value === "number") return field.enum.values.find(({ number }) => number === value)?.number;
    if (typeof value !== "string") throw new MessageError(place.root, "expected the name of a value", place.path);
    const name = options.v0 ? v1EnumName(value) : value;
    return field.enum.values.find((candidate) => candidate.name === name)?.number;
  }
  if (field.message !== undefined) return readObject(field.message, value, options, place);
  return fieldValue(field.scalar as ScalarType, value, (problem) => {
    throw new MessageError(place.root, problem, place.path);
  });
}

function readField(field: DescField, value: Json, options: ReadOptions, place: Place): unknown {
  if (field.fieldKind === "list") {
    const items = Array.isArray(value) ? (value as readonly Json[]) : [value];
    return items
      .map((item, index) => readValue(field, item, options, { ...place, path: `${place.path}[${index}]` }))
      .filter((item) => item !== undefined);
  }
  if (field.fieldKind === "map") {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new MessageError(place.root, "expected an object", place.path);
    const entries: [string, unknown][] = [];
    for (const [key, item] of Object.entries(value)) {
      const read = readValue(field, item, options, { ...place, path: `${place.path}["${key}"]` });
      if (read !== undefined) entries.push([wellFormed(key), read]);
    }
    return Object.fromEntries(entries);
  }
  if (Array.isArray(value)) throw new MessageError(place.root, "not expecting an array", place.path);
  return readValue(field, value, options, place);
}

function readObject(descriptor: DescMessage, value: Json, options: ReadOptions, place: Place): Message {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MessageError(place.root, "expected an object", place.path === "" ? undefined : place.path);
  if (place.depth > DEEPEST) throw new MessageError(place.root, "nested too deeply", place.path);
  const message = create(descriptor) as unknown as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) {
    const field = fieldNamed(descriptor, name, options);
    if (field === undefined || item === null) continue;
    const path = place.path === "" ? field.name : `${place.path}.${field.name}`;
    const read = readField(field, item, options, { ...place, path, depth: place.depth + 1 });
    if (read !== undefined) message[field.localName] = read;
  }
  return message as unknown as Message;
}

/**
 * A message from a JSON tree, as tolerant as Mesos 1.11: unknown keys are ignored, unknown enum names too, null is unset,
 * numbers and booleans may be strings and the other way round. Required fields are checked. Throws a MessageError.
 */
export function fromJson<D extends DescMessage>(schema: D, value: Json, options: ReadOptions = {}): MessageShape<D> {
  const message = readObject(schema, value, options, { root: schema.typeName, path: "", depth: 0 }) as MessageShape<D>;
  const missing = missingRequired(schema, message);
  if (missing !== undefined) throw new MessageError(schema.typeName, "required field is missing or unknown", missing);
  return message;
}

/** As fromJson, from text. A syntax error is a MessageError too. */
export function decodeJson<D extends DescMessage>(
  schema: D,
  text: string | Uint8Array,
  options: ReadOptions = {},
): MessageShape<D> {
  let value: Json;
  try {
    value = parseJson(typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
  } catch (error) {
    throw new MessageError(schema.typeName, `not JSON: ${(error as Error).message}`);
  }
  return fromJson(schema, value, options);
}

/**
 * As decodeJson, for what came over the network: refuses, before it is parsed, a text of more than `most` values, or one that
 * nests too deeply (see cost.ts). Throws a MessageError.
 */
export function decodeForeignJson<D extends DescMessage>(
  schema: D,
  text: Uint8Array,
  most: number,
  options: ReadOptions = {},
): MessageShape<D> {
  const problem = jsonProblem(text, most);
  if (problem !== undefined) throw new MessageError(schema.typeName, problem);
  return decodeJson(schema, text, options);
}
