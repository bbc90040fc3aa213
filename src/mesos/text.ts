import { type DescField, type DescMessage, type Message, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { copyOf } from "./copy.ts";

/**
 * Text that protobuf can hold. A JavaScript (or Java) text cut in the middle of a character ends in half a surrogate
 * pair, which no encoding of Unicode has: it becomes U+FFFD, as every decoder would make it.
 */
export const wellFormed = (text: string): string => text.toWellFormed();

type Fields = Record<string, unknown>;

/** A copy of a message of which every text is well-formed, map keys included. */
export function wellFormedCopy<D extends DescMessage>(schema: D, message: MessageShape<D>): MessageShape<D> {
  const copy = copyOf(message);
  mend(schema, copy);
  return copy;
}

function mend(descriptor: DescMessage, message: Message): void {
  const fields = message as unknown as Fields;
  for (const field of descriptor.fields) {
    if (!holdsText(field)) continue;
    const value = Object.hasOwn(fields, field.localName) ? fields[field.localName] : undefined;
    if (value === undefined) continue;
    if (field.fieldKind === "list") fields[field.localName] = (value as unknown[]).map((item) => mended(field, item));
    else if (field.fieldKind === "map") {
      const entries = Object.entries(value as Fields);
      fields[field.localName] = Object.fromEntries(
        entries.map(([key, item]) => [wellFormed(key), mended(field, item)]),
      );
    } else fields[field.localName] = mended(field, value);
  }
}

const holdsText = (field: DescField): boolean =>
  field.message !== undefined ||
  field.scalar === ScalarType.STRING ||
  (field.fieldKind === "map" && field.mapKey === ScalarType.STRING);

function mended(field: DescField, value: unknown): unknown {
  if (field.message !== undefined) mend(field.message, value as Message);
  return typeof value === "string" ? wellFormed(value) : value;
}
