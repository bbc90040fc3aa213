/** One item of an `Accept`-like header: what it names, and whether it takes it (`q=0` refuses). */
interface Item {
  readonly name: string;
  readonly isTaken: boolean;
}

const itemsOf = (header: string): Item[] =>
  header.split(",").flatMap((item) => {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const refused = parameters.some((parameter) => /^q\s*=\s*0(\.0{0,3})?$/.test(parameter));
    return name === "" ? [] : [{ name, isTaken: !refused }];
  });

/** Whether the first of `names` (the most specific first) that the header has is one that it takes. */
function decided(items: readonly Item[], names: readonly string[]): boolean {
  for (const name of names) {
    const found = items.find((item) => item.name === name);
    if (found !== undefined) return found.isTaken;
  }
  return false;
}

/** Whether an `Accept` header takes a media type (RFC 9110 §12.5.1); no header takes everything. */
export function accepts(header: string | undefined, type: string): boolean {
  const items = itemsOf(header ?? "");
  return items.length === 0 || decided(items, [type, `${type.split("/")[0]}/*`, "*/*"]);
}

/** The first of `types` that an `Accept` header takes; undefined: none. */
export const firstAccepted = <T extends string>(header: string | undefined, types: readonly T[]): T | undefined =>
  types.find((type) => accepts(header, type));

/** Whether an `Accept-Encoding` header takes gzip; no header takes nothing. */
export const acceptsGzip = (header: string | undefined): boolean =>
  decided(itemsOf(header ?? ""), ["gzip", "x-gzip", "*"]);
