import type { DescEnum, DescField, DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import { wireProblem } from "./cost.ts";
import { wellFormedCopy } from "./text.ts";

/** A message that cannot be read, or may not be sent. `path` is the offending field (`task.task_id.value`), if one is. */
export class MessageError extends Error {
  readonly typeName: string;
  readonly path: string | undefined;

  constructor(typeName: string, problem: string, path?: string, options?: ErrorOptions) {
    super(path === undefined ? `${typeName}: ${problem}` : `${typeName}: ${path}: ${problem}`, options);
    this.name = "MessageError";
    this.typeName = typeName;
    this.path = path;
  }
}

/** Whether an optional (or required) field of a message is present; a field with a default reads the same either way. */
export function has<M extends Message>(message: M, field: Exclude<keyof M, "$typeName" | "$unknown">): boolean {
  return Object.hasOwn(message, field) && message[field] !== undefined;
}

/**
 * A copy whose fields can be set or deleted; what they hold is shared, so nothing inside of it may be changed. A spread
 * (`{...message}`) is no message: it loses the defaults.
 */
export function shallowCopy<M extends Message>(message: M): M {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message);
}

type Fields = Record<string, unknown>;

/** What must be looked at in a message of one type: its required fields, and the fields that may hide some. */
interface Check {
  readonly field: DescField;
  readonly local: string;
  readonly required: boolean;
  /** Descriptor of the child messages worth looking into. */
  readonly child: DescMessage | undefined;
}

const checks = new WeakMap<DescMessage, readonly Check[]>();

const LEGACY_REQUIRED = 3;

const childOf = (field: DescField): DescMessage | undefined =>
  field.fieldKind === "scalar" ? undefined : field.message;

/** Whether a message of this type can have a required field anywhere in it. */
function canMiss(descriptor: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (seen.has(descriptor)) return false;
  seen.add(descriptor);
  return descriptor.fields.some((field) => {
    const child = childOf(field);
    return field.presence === LEGACY_REQUIRED || (child !== undefined && canMiss(child, seen));
  });
}

function checksOf(descriptor: DescMessage): readonly Check[] {
  const known = checks.get(descriptor);
  if (known !== undefined) return known;
  const made = descriptor.fields
    .map((field) => {
      const child = childOf(field);
      return {
        field,
        local: field.localName,
        required: field.presence === LEGACY_REQUIRED,
        child: child !== undefined && canMiss(child) ? child : undefined,
      };
    })
    .filter(({ required, child }) => required || child !== undefined);
  checks.set(descriptor, made);
  return made;
}

function missingInChild({ field, child }: Check, value: unknown): string | undefined {
  if (child === undefined) return undefined;
  if (field.fieldKind === "message") {
    const path = firstMissing(child, value as Fields);
    return path === undefined ? undefined : `${field.name}.${path}`;
  }
  if (field.fieldKind === "list") {
    const list = value as Fields[];
    for (let index = 0; index < list.length; index++) {
      const path = firstMissing(child, list[index] as Fields);
      if (path !== undefined) return `${field.name}[${index}].${path}`;
    }
    return undefined;
  }
  for (const [key, entry] of Object.entries(value as Record<string, Fields>)) {
    const path = firstMissing(child, entry);
    if (path !== undefined) return `${field.name}["${key}"].${path}`;
  }
  return undefined;
}

function firstMissing(descriptor: DescMessage, message: Fields): string | undefined {
  for (const check of checksOf(descriptor)) {
    const value = Object.hasOwn(message, check.local) ? message[check.local] : undefined;
    if (value === undefined) {
      if (check.required) return check.field.name;
      continue;
    }
    const path = missingInChild(check, value);
    if (path !== undefined) return path;
  }
  return undefined;
}

/** The path of the first required field that is not set anywhere in `message`, in proto names: `task.agent_id.value`. */
export function missingRequired<D extends DescMessage>(schema: D, message: MessageShape<D>): string | undefined {
  return firstMissing(schema, message as unknown as Fields);
}

/**
 * Reads a protobuf body as the C++ side does: unknown fields are kept, an unknown number in an optional enum field reads
 * as unset, in a repeated one it is dropped, and a required field that is missing (or holds an unknown enum number)
 * refuses the whole message. `bytes` fields share memory with `bytes`. Throws a MessageError.
 */
export function decode<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  let message: MessageShape<D>;
  try {
    message = fromBinary(schema, bytes);
  } catch (error) {
    throw new MessageError(schema.typeName, `not a message of this type: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
  const missing = missingRequired(schema, message);
  if (missing !== undefined) throw new MessageError(schema.typeName, "required field is missing or unknown", missing);
  return message;
}

/**
 * As decode, for what came over the network: refuses, before anything is made of it, a body of more than `most` objects
 * (see cost.ts). Throws a MessageError.
 */
export function decodeForeign<D extends DescMessage>(schema: D, bytes: Uint8Array, most: number): MessageShape<D> {
  const problem = wireProblem(schema, bytes, most);
  if (problem !== undefined) throw new MessageError(schema.typeName, `not a message of this type: ${problem}`);
  return decode(schema, bytes);
}

/**
 * The protobuf bytes. Text with half a surrogate pair, of which there are as many sources as there are places that cut a
 * text, is written with U+FFFD there. Throws a MessageError that names the required field that is not set, or the bad
 * value.
 */
export function encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array<ArrayBuffer> {
  try {
    return toBinary(schema, message);
  } catch {
    return encodeMended(schema, message);
  }
}

function encodeMended<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array<ArrayBuffer> {
  const missing = missingRequired(schema, message);
  if (missing !== undefined) throw new MessageError(schema.typeName, "required field is not set", missing);
  try {
    return toBinary(schema, wellFormedCopy(schema, message));
  } catch (error) {
    throw new MessageError(schema.typeName, `cannot be encoded: ${messageOf(error)}`, undefined, { cause: error });
  }
}

const names = new WeakMap<DescEnum, ReadonlyMap<number, string>>();

/** The name of an enum value (`TASK_RUNNING`); the number itself when there is none. */
export function enumName(schema: DescEnum, value: number): string {
  let known = names.get(schema);
  if (known === undefined) {
    known = new Map(schema.values.map(({ number, name }) => [number, name]));
    names.set(schema, known);
  }
  return known.get(value) ?? String(value);
}
