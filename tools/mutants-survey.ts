/**
 * How many random mutants of the agent the fast tests notice, by StrykerJS (docs/decisions/0007-the-net.md).
 *
 *   npm run mutants -- survey [--sample N] [--seed N] [ROOM|FILE…]
 *
 * N random mutants (default 120, the same ones for the same seed; 0: all, which takes hours for the whole agent) of the
 * agent, or of the rooms (`tasks`, `model/held`) and files (`src/agent/agent.ts`) that are named. Each is run against the tests
 * that come by it; what they do not notice, against the types, which `npm run check` holds too. Prints what was not noticed, and
 * a line for each room.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type PlacedMutant, typeCheck } from "./mutants-types.ts";

const root = resolve(import.meta.dirname, "..");
/** What should be noticed, in percent. */
const GOAL = 85;
/** Containerizers are held by real Docker and real processes, pages by a browser: other projects. docs.ts: `npm run made`. */
const NOT_SURVEYED = /\.test\.ts$|^src\/agent\/(containerizer|http)\/|\/docs\.ts$/;
/** What mutants there are, and which of them are tried. */
const PLUGIN = "mutants.mjs";
/** Milliseconds after which a test that hangs is ended, above what it takes otherwise: on a busy machine slow is not hung. */
const LONGEST_HANG = 60_000;

/** The tests of the agent, in one project: Stryker knows no others. Of them, it runs those that come by the mutant. */
const SURVEY_TESTS = `import { defineConfig } from "vitest/config";
export default defineConfig({
  test: {
    include: ["src/agent/**/*.test.ts", "test/agent/**/*.test.ts", "test/unit/{become,update-recovery}.test.ts"],
    pool: "threads",
    isolate: false,
    testTimeout: 60_000,
  },
});
`;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function* randomNumbers(seed: number): Generator<number> {
  for (let state = seed >>> 0; ; ) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
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

/** Of a thousand faults many are noticed by what never comes: there it is not waited for as long as on a busy machine. */
function impatient(project: string): void {
  const file = join(project, "test/support/scripted-master.ts");
  const text = readFileSync(file, "utf8");
  const hasty = text.replace("const PATIENCE = 20_000;", "const PATIENCE = 4_000;");
  if (hasty === text) throw new Error(`${file} says no more how long tests wait`);
  writeFileSync(file, hasty);
}

interface Mutant {
  /** Names it for the plugin. */
  readonly key: string;
  /** Where it stands, as `mutate` has it. */
  readonly range: string;
}

/** `count` random mutants of `files`; all of them when it is 0. `folder`: where Stryker's packages are. */
async function draw(folder: string, files: readonly string[], count: number, seed: number): Promise<Mutant[]> {
  const plugin = (await import(join(folder, PLUGIN))) as {
    mutantsOf(files: readonly { name: string; content: string }[]): Promise<Mutant[]>;
  };
  const all = await plugin.mutantsOf(files.map((name) => ({ name, content: readFileSync(join(root, name), "utf8") })));
  if (count === 0) return all;
  const random = randomNumbers(seed);
  return all
    .map((mutant) => ({ mutant, weight: random.next().value ?? 0 }))
    .sort((a, b) => a.weight - b.weight)
    .slice(0, count)
    .map(({ mutant }) => mutant);
}

/** Stryker's own settings. `folder`: where its packages are. `drawn`: the file with the keys of the mutants. */
const settings = (folder: string, mutants: readonly Mutant[], drawn: string): object => ({
  testRunner: "vitest",
  plugins: [join(folder, "node_modules/@stryker-mutator/vitest-runner/dist/src/index.js"), join(folder, PLUGIN)],
  mutate: [...new Set(mutants.map(({ range }) => range))],
  // What is nobody's rule: the words of messages, and what the plugin lists.
  mutator: { excludedMutations: ["StringLiteral"] },
  ignorers: ["nobodys-rules"],
  checkers: ["drawn"],
  drawn,
  // What is built once per file would need every test anew.
  ignoreStatic: true,
  coverageAnalysis: "perTest",
  // Half of them only say whether a mutant was drawn, at once: two run tests.
  concurrency: 4,
  timeoutMS: LONGEST_HANG,
  dryRunTimeoutMinutes: 30,
  reporters: ["progress-append-only", "json"],
  jsonReporter: { fileName: "report.json" },
  // TypeScript 7 has no API in JavaScript: Stryker must not look for its settings.
  tsconfigFile: "none.json",
  vitest: { configFile: "vitest.survey.ts", related: false },
  // The sandbox lies in the copy, whose packages it finds on its way up: Stryker does not see that they are a link.
  symlinkNodeModules: false,
});

interface Tried extends PlacedMutant {
  readonly status: string;
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Tried[] }>>;
}

const NOTICED = new Set(["Killed", "Timeout"]);
const UNNOTICED = new Set(["Survived", "NoCoverage"]);

const roomOf = (file: string): string => /^src\/agent\/([^/]+)\//.exec(file)?.[1] ?? ".";

/** Of a room, or of all: how many mutants, how many tests noticed (of those, how many by not ending), how many more the types refuse. */
interface Counts {
  tests: number;
  hung: number;
  types: number;
  all: number;
}

const percentOf = ({ tests, types, all }: Counts): number => Math.round((100 * (tests + types)) / Math.max(1, all));

const summary = (name: string, counts: Counts): string =>
  `${name.padEnd(16)} ${counts.tests + counts.types} of ${counts.all} noticed (${percentOf(counts)} %), ` +
  `${counts.tests} by tests${counts.hung > 0 ? ` (${counts.hung} of them hung)` : ""}, ${counts.types} by the types`;

function tellSurvivor(file: string, source: string, { location, mutatorName, replacement = "", status }: Tried): void {
  const { start, end } = location;
  const line = source.split("\n")[start.line - 1] ?? "";
  const until = end.line === start.line ? end.column - 1 : undefined;
  console.log(`\n${file}:${start.line}:${start.column} ${mutatorName}, ${status}\n  ${line.trim()}`);
  console.log(`  ${line.slice(start.column - 1, until).trim()}  =>  ${replacement.replaceAll(/\s+/g, " ").trim()}`);
}

/** Prints the survivors, then how many were noticed in each room. `project`: for the types. Returns the percentage over all. */
function tell(project: string, { files }: Report): number {
  const typesSay = typeCheck(project);
  const rooms = new Map<string, Counts>();
  for (const [file, { source, mutants }] of Object.entries(files)) {
    const room = rooms.get(roomOf(file)) ?? { tests: 0, hung: 0, types: 0, all: 0 };
    rooms.set(roomOf(file), room);
    for (const mutant of mutants) {
      if (!NOTICED.has(mutant.status) && !UNNOTICED.has(mutant.status)) continue;
      room.all++;
      if (mutant.status === "Timeout") room.hung++;
      if (NOTICED.has(mutant.status)) room.tests++;
      else if (typesSay(file, mutant) === "refused") room.types++;
      else tellSurvivor(file, source, mutant);
    }
  }
  const total = { tests: 0, hung: 0, types: 0, all: 0 };
  for (const [name, counts] of [...rooms].sort()) {
    for (const key of ["tests", "hung", "types", "all"] as const) total[key] += counts[key];
    console.log(summary(name, counts));
  }
  console.log(`${summary("all", total)} (goal ${GOAL} %)`);
  return percentOf(total);
}

/** The files of the agent that are meant: all, or those of the rooms and files that are named. */
function chosenFiles(names: readonly string[]): string[] {
  const all = globSync("src/agent/**/*.ts", { cwd: root }).filter((file) => !NOT_SURVEYED.test(file));
  const isMeant = (file: string): boolean =>
    names.some((name) => file === name || file.startsWith(`src/agent/${name}/`));
  const files = names.length === 0 ? all : all.filter(isMeant);
  if (files.length === 0) throw new Error(`no file of the agent is '${names.join("' or '")}'`);
  return files.sort();
}

/** `folder`: for Stryker; `project`: a copy of the project below it. Resolves to 0 when enough was noticed. */
export async function survey(folder: string, project: string, words: readonly string[]): Promise<number> {
  const option = (name: string, otherwise: number): number => {
    const at = words.indexOf(name);
    return at < 0 ? otherwise : Number(words[at + 1]);
  };
  const files = chosenFiles(words.filter((word, at) => !word.startsWith("--") && !words[at - 1]?.startsWith("--")));
  installStryker(folder);
  impatient(project);
  const mutants = await draw(folder, files, option("--sample", 120), option("--seed", 1));
  const drawn = join(folder, "drawn.json");
  writeFileSync(drawn, JSON.stringify(mutants.map(({ key }) => key)));
  writeFileSync(join(project, "stryker.config.json"), JSON.stringify(settings(folder, mutants, drawn)));
  writeFileSync(join(project, "vitest.survey.ts"), SURVEY_TESTS);
  const stryker = join(folder, "node_modules/@stryker-mutator/core/bin/stryker.js");
  const run = spawnSync(process.execPath, [stryker, "run", "stryker.config.json"], { cwd: project, stdio: "inherit" });
  if (run.status !== 0) throw new Error("StrykerJS did not come to its end; see above");
  return tell(project, JSON.parse(readFileSync(join(project, "report.json"), "utf8")) as Report) >= GOAL ? 0 : 1;
}
