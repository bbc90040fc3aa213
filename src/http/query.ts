import { pathOf as textOf } from "../base/file-names.ts";

/** A query parameter by name; undefined when it is not there. */
export type Query = (name: string) => string | undefined;

const HEX = /%([0-9a-fA-F]{2})/g;

/** `+` is a space; `%` without two hexadecimal digits stands for itself. Node hands a target's bytes over as Latin-1. */
function decoded(part: string): string {
  const bytes = part
    .replaceAll("+", " ")
    .replaceAll(HEX, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return textOf(Buffer.from(bytes, "latin1"));
}

/**
 * The parameters of a request's target as libprocess reads them: separated by `&` or `;`, the last of a name counts, one
 * without `=` is empty. Everything behind the first `?` up to a `#`. Bytes that are not UTF-8 as base/file-names.ts has
 * them: they may be a file's name.
 */
export function queryOf(target: string): Query {
  const [, query = ""] = /^[^?#]*\?([^#]*)/.exec(target) ?? [];
  const found = new Map<string, string>();
  for (const token of query.split(/[;&]/)) {
    if (token === "") continue;
    const mark = token.indexOf("=");
    const [name, value] = mark < 0 ? [token, ""] : [token.slice(0, mark), token.slice(mark + 1)];
    found.set(decoded(name), decoded(value));
  }
  return (name) => found.get(name);
}
