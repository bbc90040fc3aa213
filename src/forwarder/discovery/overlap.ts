import { factsAt } from "../model/content.ts";
import type { FileGroup } from "../model/settings.ts";
import { keyOf } from "../model/source.ts";
import { expandBraces, Tree } from "./glob.ts";
import { Patterns, realPath } from "./survey.ts";

/** One character of a segment: `*`, any single one (`?` and classes, taken generously), or itself. */
type Token = "*" | "?" | { readonly character: string };

function tokensOf(segment: string): Token[] {
  const tokens: Token[] = [];
  for (let index = 0; index < segment.length; index++) {
    const character = segment[index] as string;
    const end = character === "[" ? segment.indexOf("]", index + 2) : -1;
    if (character === "*" || character === "?") tokens.push(character);
    else if (end !== -1) {
      tokens.push("?");
      index = end;
    } else if (character === "\\" && index + 1 < segment.length) tokens.push({ character: segment[++index] as string });
    else tokens.push({ character });
  }
  return tokens;
}

const single = (left: Token | undefined, right: Token | undefined): boolean => {
  if (left === undefined || right === undefined || left === "*" || right === "*") return false;
  return left === "?" || right === "?" || left.character === right.character;
};

/** Whether two lists can be made the same, where a `wild` element stands for any number of the other's. */
function meet<T>(left: readonly T[], right: readonly T[], wild: (one: T) => boolean, same: (a: T, b: T) => boolean) {
  // can[j]: left[0..i) and right[0..j) can be the same.
  let can = [true];
  for (let j = 1; j <= right.length; j++) can[j] = (can[j - 1] ?? false) && wild(right[j - 1] as T);
  for (let i = 1; i <= left.length; i++) {
    const one = left[i - 1] as T;
    const next = [(can[0] ?? false) && wild(one)];
    for (let j = 1; j <= right.length; j++) {
      const other = right[j - 1] as T;
      const skips = (wild(one) && (can[j] || next[j - 1])) || (wild(other) && (next[j - 1] || can[j]));
      next[j] = Boolean(skips) || ((can[j - 1] ?? false) && same(one, other));
    }
    can = next;
  }
  return can[right.length] ?? false;
}

const segmentsMeet = (left: string, right: string): boolean =>
  left !== "**" && right !== "**" && meet<Token>(tokensOf(left), tokensOf(right), (one) => one === "*", single);

/** Whether some path can match both patterns. May say yes where there is none, never no where there is one. */
export function mayMeet(left: string, right: string): boolean {
  const segments = (pattern: string) => pattern.split("/").filter((segment) => segment !== "");
  return expandBraces(left).some((a) =>
    expandBraces(right).some((b) => meet(segments(a), segments(b), (one) => one === "**", segmentsMeet)),
  );
}

/** Where a pattern leads: the links among its segments before the first that is none of a name. */
function realPattern(pattern: string): string {
  const segments = pattern.split("/");
  const first = segments.findIndex((segment) => /[*?[{\\]/.test(segment));
  const named = first === -1 ? segments : segments.slice(0, first);
  const real = realPath(named.join("/") || "/").replaceAll(/[*?[\\]/g, "\\$&");
  return [real === "/" ? "" : real, ...segments.slice(named.length)].join("/");
}

/** What an entry names: by its patterns, and by the files that are there. */
interface Reach {
  readonly patterns: readonly string[];
  readonly exclude: readonly string[];
  /** Device and inode of each file: links, hard ones too, lead patterns to one file that have nothing in common. */
  readonly files: ReadonlySet<string>;
}

function reachOf({ paths, exclude }: FileGroup, tree: Tree): Reach {
  const files = [...new Patterns([{ paths, exclude }]).find(tree).paths.keys()].map(factsAt);
  return {
    patterns: [...new Set(paths.filter((path) => path !== "-").flatMap((path) => [path, realPattern(path)]))],
    exclude,
    files: new Set(files.flatMap((facts) => (facts?.kind === "file" ? keyOf(facts.identity) : []))),
  };
}

function overlaps(left: Reach, right: Reach): boolean {
  if (!left.files.isDisjointFrom(right.files)) return true;
  return left.patterns.some((a) =>
    right.patterns.some((b) => !left.exclude.includes(b) && !right.exclude.includes(a) && mayMeet(a, b)),
  );
}

/**
 * Which entries of `files` are followed together: those of one lane never name the same file, so a file has one position
 * in each lane. Returns the lane of each entry, from 0; nearly always all are 0.
 */
export function lanesOf(groups: readonly FileGroup[]): number[] {
  const lanes: number[] = [];
  if (groups.length === 1) return [0];
  const tree = new Tree();
  const reaches = groups.map((group) => reachOf(group, tree));
  for (const [index, reach] of reaches.entries()) {
    const taken = new Set(lanes.filter((_, other) => overlaps(reaches[other] as Reach, reach)));
    let lane = 0;
    while (taken.has(lane)) lane++;
    lanes[index] = lane;
  }
  return lanes;
}
