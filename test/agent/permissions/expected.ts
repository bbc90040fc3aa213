import { readFileSync } from "node:fs";
import { deeds, PRINCIPALS } from "./deeds.ts";
import { files } from "./files.ts";

/** By file and principal: the verdicts, in the order of the deeds. */
export type Answers = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

const separator = " | ";

/** As expected.md has it: a block for each file, a line for each deed, a column for each principal. */
export function printed(answers: Answers): string {
  const blocks = files.map(({ name }) => {
    const lines = deeds.map(({ name: deed }, index) => {
      const verdicts = PRINCIPALS.map((principal) => answers.get(name)?.get(principal)?.[index] ?? "");
      return `| ${[deed, ...verdicts].join(separator)} |`;
    });
    const head = `| | ${PRINCIPALS.join(separator)} |`;
    return [`## ${name}`, "", head, `|${"---|".repeat(PRINCIPALS.length + 1)}`, ...lines, ""].join("\n");
  });
  return blocks.join("\n");
}

/** The rows of expected.md. Throws for one that is missing, or that is of no file or deed. */
function read(text: string): Answers {
  const answers = new Map<string, Map<string, string[]>>();
  for (const block of text.split(/^## /m).slice(1)) {
    const [name = "", ...lines] = block.split("\n");
    const rows = lines.filter((line) => line.startsWith("| ") && !line.startsWith("| |"));
    const cells = rows.map((line) => line.slice(2, -2).split(separator));
    const named = cells.map(([deed]) => deed);
    if (named.join("\n") !== deeds.map((deed) => deed.name).join("\n")) throw new Error(`other deeds under '${name}'`);
    const columns = PRINCIPALS.map(
      (principal, index) => [principal, cells.map((row) => row[index + 1] ?? "")] as const,
    );
    answers.set(name, new Map(columns));
  }
  if ([...answers.keys()].join("\n") !== files.map(({ name }) => name).join("\n")) throw new Error("other files");
  return answers;
}

const table = new URL("expected.md", import.meta.url);
/** The table. Read where it is compared: it can be printed anew while it is not complete. */
export const expected = (): Answers => read(readFileSync(table, "utf8"));
