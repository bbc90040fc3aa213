/**
 * Whether the fast tests notice faults. Works on a copy of the project; the project itself is not touched.
 *
 *   npm run mutants                       every fault of test/mutants/faults.ts
 *   npm run mutants -- NAME…              those whose name contains one of the words
 *   npm run mutants -- survey …           many random ones: tools/mutants-survey.ts
 *
 * Exits 1 when a fault was not noticed, or the survey notices less than it should.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { type Fault, faults } from "../test/mutants/faults.ts";
import { survey } from "./mutants-survey.ts";

const root = resolve(import.meta.dirname, "..");

/** A copy of the project below `folder`, with the installed packages of the real one. */
function copyProject(folder: string): void {
  const left = new Set(["node_modules", ".git", "dist", "coverage"]);
  cpSync(root, folder, { recursive: true, filter: (path) => !left.has(basename(path)) });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** The first test that fails in the copy; undefined when all pass. Tests that have nothing to do with `file` are left out. */
function failingTest(folder: string, file: string): string | undefined {
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const words = ["related", file, "--run", "--project", "unit", "--project", "agent", "--bail", "1"];
  const output = ["--reporter", "json", "--outputFile", report];
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const result = spawnSync(process.execPath, [vitest, ...words, ...output], { cwd: folder, encoding: "utf8" });
  if (result.status === 0) return undefined;
  if (!existsSync(report))
    throw new Error(`vitest did not come to its end in ${folder}:\n${result.stderr.slice(-2_000)}`);
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  for (const { name, assertionResults } of testResults)
    for (const { status, fullName } of assertionResults)
      if (status === "failed") return `${name.slice(folder.length + 1)}: ${fullName}`;
  return testResults.length > 0 ? "a test file that cannot be loaded" : undefined;
}

/** The one file of the room that holds the fault's text. Throws when there is none, or more than one place. */
export function placeOf(fault: Fault, folder: string): string {
  const places = globSync(`src/${fault.room}/**/*.ts`, { cwd: folder }).filter((file) => {
    const count = readFileSync(join(folder, file), "utf8").split(fault.text).length - 1;
    if (count > 1) throw new Error(`fault '${fault.name}': its text stands ${count} times in ${file}`);
    return count === 1;
  });
  const [place, other] = places;
  if (place === undefined)
    throw new Error(`fault '${fault.name}': its text stands nowhere; write it anew in test/mutants/faults.ts`);
  if (other !== undefined) throw new Error(`fault '${fault.name}': its text stands in ${places.join(" and ")}`);
  return place;
}

/** Returns how many were not noticed. */
function tryFaults(folder: string, words: readonly string[]): number {
  const chosen = faults.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  let survivors = 0;
  for (const fault of chosen) {
    const file = placeOf(fault, folder);
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(
      path,
      text.replace(fault.text, () => fault.instead),
    );
    const test = failingTest(folder, file);
    writeFileSync(path, text);
    if (test === undefined) survivors++;
    console.log(
      `${test === undefined ? "SURVIVES" : "noticed "}  ${fault.name} (${file})\n          ${test ?? fault.breaks}`,
    );
  }
  const percent = Math.round((100 * (chosen.length - survivors)) / Math.max(1, chosen.length));
  console.log(`${chosen.length - survivors} of ${chosen.length} faults noticed (${percent} %)`);
  return survivors;
}

async function main(words: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "mutants-"));
  try {
    const project = join(folder, "project");
    copyProject(project);
    if (words[0] === "survey") return await survey(folder, project, words.slice(1));
    return tryFaults(project, words) === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename)
  process.exitCode = await main(process.argv.slice(2));
