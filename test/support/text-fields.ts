import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";

type Fields = Record<string, unknown>;

const LEGACY_REQUIRED = 3;

const takesText = (field: DescField): boolean =>
  (field.scalar === ScalarType.STRING && field.message === undefined) ||
  (field.fieldKind === "map" && field.mapKey === ScalarType.STRING);

function filled(field: DescField): unknown {
  if (field.message !== undefined) return minimal(field.message);
  if (field.enum !== undefined) return field.enum.values[0]?.number;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "x";
    case ScalarType.BYTES:
      return new Uint8Array(16);
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return 1n;
    default:
      return 1;
  }
}

/** A message with its required fields, and nothing else. */
function minimal(descriptor: DescMessage): Message {
  const message = create(descriptor) as Message;
  for (const field of descriptor.fields) {
    if (field.presence === LEGACY_REQUIRED) (message as unknown as Fields)[field.localName] = filled(field);
  }
  return message;
}

/** `value` in a field, by whatever kind the field is; `inner` is what a list or a map holds. */
function put(message: Message, field: DescField, inner: unknown, key: string): void {
  const fields = message as unknown as Fields;
  if (field.fieldKind === "list") fields[field.localName] = [inner];
  else if (field.fieldKind === "map") fields[field.localName] = { [key]: inner };
  else fields[field.localName] = inner;
}

/**
 * Messages of a type with `text` in one text field each, by the field's path: every text field of the type and of the
 * types in it, `depth` levels down; no type inside of itself.
 */
export function* withText(
  descriptor: DescMessage,
  text: string,
  depth: number,
  above: readonly DescMessage[] = [],
): Generator<{ readonly path: string; readonly message: Message }> {
  for (const field of descriptor.fields) {
    if (takesText(field)) {
      const message = minimal(descriptor);
      const isText = field.message === undefined && field.scalar === ScalarType.STRING;
      put(message, field, isText ? text : filled(field), text);
      yield { path: field.name, message };
    }
    const child = field.message;
    if (child === undefined || depth === 0 || above.includes(child) || child === descriptor) continue;
    for (const inner of withText(child, text, depth - 1, [...above, descriptor])) {
      const message = minimal(descriptor);
      put(message, field, inner.message, "key");
      yield { path: `${field.name}.${inner.path}`, message };
    }
  }
}
