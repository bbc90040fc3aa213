/**
 * Whether the fast tests notice faults. Works on a copy of the project; the project itself is not touched.
 *
 *   npm run mutants                       every fault of test/mutants/faults.ts
 *   npm run mutants -- NAME…              those whose name contains one of the words
 *   npm run mutants -- survey [--lines N] [--seed N] [FILE…]
 *                                         StrykerJS over N random lines of the agent (default 200; 0: all of it, which takes
 *                                         hours) or of the files that are named
 *
 * Exits 1 when a fault was not noticed, or the survey notices less than it should.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { type Fault, faults } from "../test/mutants/faults.ts";

const root = resolve(import.meta.dirname, "..");
/** What the survey should notice, in percent. */
const GOAL = 85;
/** Containerizers are held by real Docker and real processes, pages by a browser: other projects. */
const SURVEYED = ["src/agent/**/*.ts"];
const NOT_SURVEYED =
  /\.test\.ts$|^src\/agent\/(containerizer|http|isolators|fetcher|flags|resources)\/|\/docs\.ts$|^src\/agent\/(node|machine)\.ts$/;

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

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function* randomNumbers(seed: number): Generator<number> {
  for (let state = seed >>> 0; ; ) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** `count` random lines of code, as Stryker names them: `file:12-12`. */
function sampleLines(files: readonly string[], count: number, seed: number): string[] {
  const lines = files.flatMap((file) =>
    readFileSync(join(root, file), "utf8")
      .split("\n")
      .flatMap((line, index) =>
        /^\s*(\/\/|\*|\/\*|import |$)/.test(line) ? [] : [`${file}:${index + 1}-${index + 1}`],
      ),
  );
  const random = randomNumbers(seed);
  const weighed = lines.map((line) => ({ line, weight: random.next().value ?? 0 }));
  return weighed
    .sort((a, b) => a.weight - b.weight)
    .slice(0, count)
    .map(({ line }) => line);
}

/** Stryker with its own packages, beside the copy: the project has no use for them otherwise. */
function installStryker(folder: string): void {
  cpSync(join(root, "test/mutants/stryker"), folder, { recursive: true });
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (npm.status !== 0) throw new Error("StrykerJS cannot be installed; see above");
  symlinkSync(join(root, "node_modules/vitest"), join(folder, "node_modules/vitest"));
}

/** Returns 0 when enough was noticed. */
function survey(folder: string, given: readonly string[]): number {
  const option = (name: string, otherwise: number): number => {
    const at = given.indexOf(name);
    return at < 0 ? otherwise : Number(given[at + 1]);
  };
  const named = given.filter((word, index) => word.endsWith(".ts") && !given[index - 1]?.startsWith("--"));
  const all = SURVEYED.flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((file) => !NOT_SURVEYED.test(file))
    .sort();
  const [lines, files] = [option("--lines", named.length > 0 ? 0 : 200), named.length > 0 ? named : all];
  installStryker(folder);
  const project = join(folder, "project");
  mkdirSync(project);
  copyProject(project);
  const runner = join(folder, "node_modules/@stryker-mutator/vitest-runner/dist/src/index.js");
  const config = {
    testRunner: "vitest",
    plugins: [runner],
    mutate: lines === 0 ? files : sampleLines(files, lines, option("--seed", 1)),
    // Words of logs and messages are nobody's rule; what is built once per file would need every test anew.
    mutator: { excludedMutations: ["StringLiteral"] },
    ignoreStatic: true,
    coverageAnalysis: "perTest",
    concurrency: 2,
    timeoutMS: 30_000,
    reporters: ["clear-text"],
    clearTextReporter: { reportTests: false, allowEmojis: false, reportScoreTable: lines === 0 },
    thresholds: { high: 95, low: GOAL, break: GOAL },
    // TypeScript 7 has no API in JavaScript: Stryker must not look for its settings.
    tsconfigFile: "none.json",
    vitest: { configFile: "vitest.survey.ts", related: false },
    // The sandbox lies in the copy, whose packages it finds on its way up: Stryker does not see that they are a link.
    symlinkNodeModules: false,
  };
  impatient(project);
  writeFileSync(join(project, "stryker.config.json"), JSON.stringify(config));
  writeFileSync(join(project, "vitest.survey.ts"), SURVEY_TESTS);
  const stryker = join(folder, "node_modules/@stryker-mutator/core/bin/stryker.js");
  const words = [stryker, "run", "stryker.config.json"];
  return spawnSync(process.execPath, words, { cwd: project, stdio: "inherit" }).status ?? 1;
}

/** Of a thousand faults many are noticed by what never comes: there it is not waited for as long as on a busy machine. */
function impatient(project: string): void {
  const file = join(project, "test/support/scripted-master.ts");
  const text = readFileSync(file, "utf8");
  const hasty = text.replace("const PATIENCE = 20_000;", "const PATIENCE = 4_000;");
  if (hasty === text) throw new Error(`${file} says no more how long tests wait`);
  writeFileSync(file, hasty);
}

/** The tests of the agent, in one project: Stryker knows no others. */
const SURVEY_TESTS = `import { defineConfig } from "vitest/config";
export default defineConfig({
  test: { include: ["src/agent/**/*.test.ts", "test/agent/**/*.test.ts"], exclude: ["src/agent/{http,containerizer,fetcher}/**"], pool: "threads", testTimeout: 60_000 },
});
`;

function main(words: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), "mutants-"));
  try {
    if (words[0] === "survey") return survey(folder, words.slice(1));
    copyProject(join(folder, "project"));
    return tryFaults(join(folder, "project"), words) === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename)
  process.exitCode = main(process.argv.slice(2));
