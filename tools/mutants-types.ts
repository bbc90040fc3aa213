/**
 * Which mutants the type check refuses. `npm run check` begins with it, and tests run without types: what tests do not notice may
 * never come as far as a test, such as a `?.` without its question mark, or a check without which a value may be undefined.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Position {
  /** From 1, both. */
  readonly line: number;
  readonly column: number;
}

export interface PlacedMutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: Readonly<Record<"start" | "end", Position>>;
}

/** Their parts bind less than what may stand around them. A chain (`a?.b`) must not be cut off from its rest by parentheses. */
const OPERATORS = new Set(["LogicalOperator", "ArithmeticOperator", "EqualityOperator"]);

function offsetOf(source: string, { line, column }: Position): number {
  let offset = 0;
  for (let passed = 1; passed < line; passed++) offset = source.indexOf("\n", offset) + 1;
  return offset + column - 1;
}

/** The text of a file with a mutant in it, as StrykerJS reports it. */
export function mutated(source: string, { mutatorName, replacement = "", location }: PlacedMutant): string {
  const instead = OPERATORS.has(mutatorName) ? `(${replacement})` : replacement;
  return source.slice(0, offsetOf(source, location.start)) + instead + source.slice(offsetOf(source, location.end));
}

/** tsc over the project in `folder`, whose packages are installed: true when it has nothing to say. */
function typesHold(folder: string): boolean {
  const tsc = join(folder, "node_modules/typescript/bin/tsc");
  const words = ["--noEmit", "--incremental", "--tsBuildInfoFile", join(folder, "types.tsbuildinfo")];
  const { status, error } = spawnSync(process.execPath, [tsc, ...words], { cwd: folder, stdio: "ignore" });
  if (error !== undefined) throw error;
  return status === 0;
}

/** A judge of mutants of the project in `folder`, a copy that is written to. Throws when its types do not hold as they are. */
export function typeCheck(folder: string): (file: string, mutant: PlacedMutant) => "refused" | "holds" {
  if (!typesHold(folder)) throw new Error(`the types of ${folder} do not hold before any mutant; see npm run types`);
  return (file, mutant) => {
    const path = join(folder, file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, mutated(source, mutant));
    try {
      return typesHold(folder) ? "holds" : "refused";
    } finally {
      writeFileSync(path, source);
    }
  };
}
