/** One character of a pattern: any one, one of a class, or itself. */
type Part = { readonly any: true } | { readonly one: (character: string) => boolean };

/** `[a-z]`, `[^a]`, `[!a]` without their brackets. A class that runs backwards, `[z-a]`, matches nothing. */
function classOf(body: string): (character: string) => boolean {
  const negated = /^[!^]/.test(body);
  const characters = [...body.slice(negated ? 1 : 0)];
  const ranges: (readonly [from: number, to: number])[] = [];
  for (let index = 0; index < characters.length; index++) {
    const from = characters[index] as string;
    const isRange = characters[index + 1] === "-" && index + 2 < characters.length;
    const to = isRange ? (characters[index + 2] as string) : from;
    if (isRange) index += 2;
    ranges.push([from.codePointAt(0) as number, to.codePointAt(0) as number]);
  }
  return (character) => {
    const code = character.codePointAt(0) as number;
    return ranges.some(([from, to]) => from <= code && code <= to) !== negated;
  };
}

/**
 * A segment of a pattern: `*`, `?`, `[a-z]`, `[^a]` or `[!a]`, `\` before any of them. Whatever the name and the pattern
 * are, a name is decided in at most their product of steps: `*a*a*a*a*b` cannot stop a scan.
 */
export class Wildcard {
  readonly #parts: readonly (Part | "*")[];

  constructor(segment: string) {
    const characters = [...segment];
    const parts: (Part | "*")[] = [];
    for (let index = 0; index < characters.length; index++) {
      const character = characters[index] as string;
      const end = character === "[" ? characters.indexOf("]", index + 2) : -1;
      if (character === "*") parts.push("*");
      else if (character === "?") parts.push({ any: true });
      else if (end !== -1) {
        parts.push({ one: classOf(characters.slice(index + 1, end).join("")) });
        index = end;
      } else {
        const literal =
          character === "\\" && index + 1 < characters.length ? (characters[++index] as string) : character;
        parts.push({ one: (other) => other === literal });
      }
    }
    this.#parts = parts;
  }

  test(name: string): boolean {
    const [parts, characters] = [this.#parts, [...name]];
    // The last star, and where it begins: what it stands for grows by one whenever the rest does not match.
    let [star, from] = [-1, 0];
    let [part, at] = [0, 0];
    while (at < characters.length) {
      const next = parts[part];
      if (next === "*") {
        [star, from] = [part, at];
        part++;
      } else if (next !== undefined && ("any" in next || next.one(characters[at] as string))) {
        part++;
        at++;
      } else if (star !== -1) {
        from++;
        [part, at] = [star + 1, from];
      } else return false;
    }
    return parts.slice(part).every((rest) => rest === "*");
  }
}
