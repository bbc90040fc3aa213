import { UserError } from "../base/errors.ts";
import { coalesce, type Quantity, scalarQuantity } from "./quantity.ts";

const FIX = "write a number, ranges such as [31000-32000, 8080-8080], or a set such as {a, b}";
const HIGHEST = 2n ** 64n - 1n;

function bracketsMatch(text: string, open: string, close: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === open) depth++;
    if (character === close && --depth < 0) return false;
  }
  return depth === 0;
}

function parseRanges(text: string): Quantity {
  const tokens = text.split(/[[\]\-,\n]/).filter((token) => token !== "");
  if (tokens.length % 2 !== 0)
    throw new UserError(`'${text}' is not ranges: every range needs a begin and an end`, FIX);
  const bounds = tokens.map((token) => {
    if (!/^\d{1,20}$/.test(token) || BigInt(token) > HIGHEST)
      throw new UserError(`'${token}' in '${text}' is not a whole number`, FIX);
    return BigInt(token);
  });
  const ranges = [];
  for (let index = 0; index < bounds.length; index += 2) {
    const [begin = 0n, end = 0n] = [bounds[index], bounds[index + 1]];
    if (begin > end) throw new UserError(`the range [${begin}-${end}] in '${text}' ends before it begins`, FIX);
    ranges.push({ begin, end });
  }
  return { kind: "ranges", ranges: coalesce(ranges) };
}

/**
 * A value in the grammar of `--resources` and `--attributes`: scalar, ranges, set or text. Spaces mean nothing. Throws a
 * UserError.
 */
export function parseValue(text: string): Quantity | { readonly kind: "text"; readonly text: string } {
  const bare = text.replaceAll(" ", "");
  if (bare === "") throw new UserError("a value is empty", FIX);
  for (const [open, close] of ["{}", "[]", "()"].map((pair) => [...pair] as [string, string]))
    if (!bracketsMatch(bare, open, close)) throw new UserError(`the brackets in '${text}' do not match`, FIX);
  if (bare.startsWith("[")) return parseRanges(bare);
  if (bare.startsWith("{")) return { kind: "set", items: new Set(bare.split(/[{},\n]/).filter((item) => item !== "")) };
  const stray = /[[{]/.exec(bare)?.[0];
  if (stray !== undefined) throw new UserError(`unexpected '${stray}' in '${text}'`, FIX);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(bare)) return { kind: "text", text: bare };
  const number = Number(bare);
  if (number < 0) throw new UserError(`'${text}' is negative`, FIX);
  if (!Number.isFinite(number)) throw new UserError(`'${text}' is larger than any number`, FIX);
  return scalarQuantity(number);
}
