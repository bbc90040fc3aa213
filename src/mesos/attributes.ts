import { create } from "@bufbuild/protobuf";
import { UserError } from "../base/errors.ts";
import { type Attribute, AttributeSchema, Value_TextSchema, Value_Type } from "./gen/mesos/v1/mesos_pb.ts";
import { idOf } from "./ids.ts";
import { formatQuantity, quantityOf, valueMembers } from "./quantity.ts";
import { parseValue } from "./values-text.ts";

const FIX = "write name:value items separated by ';', for example rack:abc;zone:west;level:10";

/**
 * The value of `--attributes`: `name:value` items, split at the first ':' (a value may contain more). What looks like a
 * number is one; a set is refused, as Mesos does. Throws a UserError.
 */
export function parseAttributes(text: string): Attribute[] {
  return text
    .split(/[;\n]/)
    .filter((item) => item.trim() !== "")
    .map((item) => {
      const at = item.indexOf(":");
      const name = item.slice(0, at).trim();
      if (at < 0 || name === "") throw new UserError(`'${item}' in attributes '${text}' is not name:value`, FIX);
      const parsed = parseValue(item.slice(at + 1));
      if (parsed.kind === "set")
        throw new UserError(
          `attribute '${name}' is a set, which attributes cannot be`,
          "write a number, ranges or text",
        );
      if (parsed.kind !== "text") return create(AttributeSchema, { name, ...valueMembers(parsed) });
      const value = create(Value_TextSchema, { value: parsed.text });
      return create(AttributeSchema, { name, type: Value_Type.TEXT, text: value });
    });
}

/** An attribute's value as text: `abc`, `10`, `[1-2]`. */
export function attributeText(attribute: Attribute): string {
  if (attribute.type === Value_Type.TEXT) return idOf(attribute.text);
  const quantity = quantityOf(attribute);
  return typeof quantity === "string" ? "" : formatQuantity(quantity);
}

/** The flat object of /state: name to number or text. */
export function attributesSummary(attributes: readonly Attribute[]): Record<string, number | string> {
  return Object.fromEntries(
    attributes.map((attribute) => [
      attribute.name,
      attribute.type === Value_Type.SCALAR ? (attribute.scalar?.value ?? 0) : attributeText(attribute),
    ]),
  );
}
