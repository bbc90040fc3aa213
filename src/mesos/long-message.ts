import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { encode } from "./codec.ts";
import { isAlwaysListed, toJson } from "./json.ts";
import { type Json, jsonText } from "./json-text.ts";

/** The records that become the elements of a list: chosen when they are handed over, each shown when its turn comes. */
export interface LongList {
  readonly length: number;
  readonly element: (index: number) => Message;
}

/**
 * A message with lists of thousands, of which never more than one element is made at a time. Its bytes and its text are those of
 * the whole message.
 */
export interface LongMessage {
  readonly schema: DescMessage;
  /** What else it has. Its fields come before the parts on the wire: their numbers are lower. */
  readonly head?: Message;
  /** By local names of the schema. */
  readonly parts: Readonly<Record<string, LongList | LongMessage>>;
}

export const listOf = <T>(records: readonly T[], show: (record: T) => Message): LongList => ({
  length: records.length,
  element: (index) => show(records[index] as T),
});

const isList = (part: LongList | LongMessage): part is LongList => "element" in part;

function childOf(field: DescField): DescMessage {
  if (field.message === undefined) throw new Error(`${field} holds no messages`);
  return field.message;
}

/** The JSON text, as encodeJson writes it, an element a piece. */
export function* jsonPieces({ schema, head, parts }: LongMessage): Generator<string, void, void> {
  const plain: { readonly [key: string]: Json } = head === undefined ? {} : toJson(schema, head);
  let separator = "{";
  for (const field of schema.fields) {
    const part = parts[field.localName];
    const member = plain[field.name];
    const name = `${separator}"${field.name}":`;
    if (part === undefined) {
      if (member === undefined) continue;
      yield name + jsonText(member);
    } else if (isList(part)) {
      if (part.length === 0 && !isAlwaysListed(schema)) continue;
      yield `${name}[`;
      for (let index = 0; index < part.length; index++)
        yield (index === 0 ? "" : ",") + jsonText(toJson(childOf(field), part.element(index)));
      yield "]";
    } else {
      yield name;
      yield* jsonPieces(part);
    }
    separator = ",";
  }
  yield separator === "{" ? "{}" : "}";
}

/** Bytes that are put together at once. */
const CHUNK = 65_536;

/** The bytes, as `encode` writes them, with a yield after each element. */
export function* encoding({ schema, head, parts }: LongMessage): Generator<void, Uint8Array[], void> {
  const chunks: Uint8Array[] = head === undefined ? [] : [encode(schema, head)];
  const named = schema.fields.filter(({ localName }) => parts[localName] !== undefined);
  for (const field of named.sort((left, right) => left.number - right.number)) {
    const part = parts[field.localName] as LongList | LongMessage;
    if (isList(part)) chunks.push(...(yield* encodingList(field, part)));
    else {
      const inner = yield* encoding(part);
      const length = inner.reduce((sum, chunk) => sum + chunk.length, 0);
      chunks.push(new BinaryWriter().tag(field.number, WireType.LengthDelimited).uint32(length).finish(), ...inner);
    }
  }
  return chunks;
}

function* encodingList(field: DescField, list: LongList): Generator<void, Uint8Array[], void> {
  const chunks: Uint8Array[] = [];
  let [writer, size] = [new BinaryWriter(), 0];
  for (let index = 0; index < list.length; index++) {
    const bytes = encode(childOf(field), list.element(index));
    writer.tag(field.number, WireType.LengthDelimited).bytes(bytes);
    size += bytes.length;
    if (size >= CHUNK) {
      chunks.push(writer.finish());
      [writer, size] = [new BinaryWriter(), 0];
    }
    yield;
  }
  chunks.push(writer.finish());
  return chunks;
}
