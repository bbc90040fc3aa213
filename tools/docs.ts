/**
 * The documentation that is made from the tables in the code.
 *
 *   node tools/run.cjs tools/docs.ts           write it
 *   node tools/run.cjs tools/docs.ts --check   fail, naming each file, when one is not as it would be written
 *
 * Whole files are listed in `files`. A block inside a written page stands between `<!-- made: NAME -->` and
 * `<!-- end: NAME -->`; NAME is a key of `blocks`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { figuresPage, type Results } from "../bench/figures.ts";
import { probePlacesBlock } from "../src/agent/containerizer/docker/probe-places.ts";
import { actionsBlock, asksBlock } from "../src/agent/http/asks-docs.ts";
import { endpointsPage } from "../src/agent/http/docs.ts";
import { metricsPage } from "../src/agent/metrics/docs.ts";
import { agentFlagsPage } from "../src/agent/settings/docs.ts";
import { commandFlagsBlock, commandsBlock } from "../src/cli/docs.ts";
import { forwarderDocs } from "../src/forwarder/config/docs.ts";
import { variablesDocs } from "../src/init/docs.ts";
import { platformsBlock, platformsPage } from "./platforms-page.ts";
import { rooms } from "./rooms.ts";

const root = resolve(import.meta.dirname, "..");

/** A whole page, by its path in the repository. */
export const files: Readonly<Record<string, () => string>> = {
  "docs/flags.md": agentFlagsPage,
  "docs/forwarder.md": forwarderDocs,
  "docs/endpoints.md": endpointsPage,
  "docs/metrics.md": metricsPage,
  "docs/variables.md": variablesDocs,
  "docs/platforms.md": platformsPage,
  "docs/figures.md": () => figuresPage(JSON.parse(readFileSync(join(root, "bench/results.json"), "utf8")) as Results),
};

/** The rooms as a picture and as a list. An arrow means "may import"; what all may import is left out of the picture. */
function roomsBlock(): string {
  const everywhere = new Set(["base", "config", "mesos"]);
  const edges = rooms
    .filter(({ name }) => name !== "main")
    .flatMap(({ name, mayImport }) =>
      mayImport.filter((other) => !everywhere.has(other)).map((other) => `  ${name} --> ${other}`),
    );
  const programs = rooms.find(({ name }) => name === "main")?.mayImport ?? [];
  const mains = programs
    .filter((name) => !everywhere.has(name) && !["libprocess", "zookeeper", "docker"].includes(name))
    .map((name) => `  main --> ${name}`);
  const list = rooms.map(({ name, purpose, mayImport }) => `| \`${name}/\` | ${purpose} | ${mayImport.join(", ")} |`);
  const floors = rooms.flatMap(({ name, floors }) => (floors === undefined ? [] : ["", ...floorsOf(name, floors)]));
  return [
    "```mermaid",
    "graph TD",
    ...mains,
    ...edges,
    "```",
    "",
    "| room | what it is | may import |",
    "|---|---|---|",
    ...list,
    ...floors,
  ].join("\n");
}

/** The floors of one room, the highest first, as one would see the house. */
function floorsOf(name: string, floors: NonNullable<(typeof rooms)[number]["floors"]>): string[] {
  const rows = floors.map((floor) => floor.map((folder) => `\`${folder}/\``).join(" "));
  const top = `the files directly in \`${name}/\``;
  return [
    `| floors of \`${name}/\`, each may import those below it |`,
    "|---|",
    ...[...rows, top].toReversed().map((row) => `| ${row} |`),
  ];
}

/** Blocks for pages that are otherwise written by hand. */
export const blocks: Readonly<Record<string, () => string>> = {
  rooms: roomsBlock,
  asks: asksBlock,
  actions: actionsBlock,
  "probe-places": probePlacesBlock,
  platforms: platformsBlock,
  commands: commandsBlock,
  "command-flags": commandFlagsBlock,
};

/** The page with every block replaced. Throws when a block is unknown or has no end. */
export function fillBlocks(page: string, text: string, made: Readonly<Record<string, () => string>>): string {
  return text.replaceAll(
    /<!-- made: ([\w-]+) -->\n([\s\S]*?)(<!-- end: \1 -->|(?=<!-- made: )|$)/g,
    (_all, name, _old, end) => {
      const block = Object.hasOwn(made, name) ? made[name] : undefined;
      if (block === undefined) throw new Error(`${page}: tools/docs.ts has no block '${name}'`);
      if (end === "") throw new Error(`${page}: block '${name}' has no <!-- end: ${name} -->`);
      return `<!-- made: ${name} -->\n${block().trim()}\n<!-- end: ${name} -->`;
    },
  );
}

function* writtenPages(folder: string): Generator<string> {
  if (!existsSync(join(root, folder))) return;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* writtenPages(path);
    else if (path.endsWith(".md") && !Object.hasOwn(files, path)) yield path;
  }
}

/** Every file that something here makes, and what it should hold. */
export function* wanted(): Generator<readonly [path: string, text: string]> {
  for (const [path, make] of Object.entries(files)) yield [path, make()];
  for (const path of ["README.md", ...writtenPages("docs")]) {
    if (!existsSync(join(root, path))) continue;
    const text = readFileSync(join(root, path), "utf8");
    if (text.includes("<!-- made: ")) yield [path, fillBlocks(path, text, blocks)];
  }
}

if (import.meta.main) {
  let stale = 0;
  for (const [path, text] of wanted()) {
    const full = join(root, path);
    if (existsSync(full) && readFileSync(full, "utf8") === text) continue;
    if (process.argv.includes("--check")) {
      console.error(`${path} is stale: run \`npm run docs\``);
      stale++;
    } else {
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
      console.log(`wrote ${path}`);
    }
  }
  process.exitCode = stale === 0 ? 0 : 1;
}
