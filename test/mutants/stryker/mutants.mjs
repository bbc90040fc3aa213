// Which mutants are made (docs/decisions/0007-the-net.md): a plugin of StrykerJS, and the list that a sample is drawn from.
import { readFileSync } from "node:fs";
import { commonTokens, declareClassPlugin, declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";
import { Instrumenter } from "@stryker-mutator/instrumenter";

/** Words of messages are nobody's rule. */
export const EXCLUDED = ["StringLiteral"];

/** The last name of `a`, `a.b`, `this.#b`. */
const nameOf = (node) => node?.property?.id?.name ?? node?.property?.name ?? node?.name;

const isCall = ({ type }) => type === "CallExpression" || type === "OptionalCallExpression";

/** Why mutants of a part of the program are not made; undefined: they are. */
function nobodysRule({ node }) {
  // `log.warn(…)`, `this.#options.log.warn(…)`: people read it, nothing depends on it.
  if (isCall(node) && nameOf(node.callee.object) === "log") return "what is logged";
  // What an error came from is for who reads a stack.
  if (node.type === "ObjectProperty" && nameOf(node.key) === "cause") return "the cause of an error";
  if (
    node.type === "ObjectExpression" &&
    node.properties.every(({ key }) => nameOf(key) === "cause") &&
    node.properties.length > 0
  )
    return "the cause of an error";
  // In a test the process goes on anyhow.
  if (isCall(node) && nameOf(node.callee) === "unref") return "whether a timer keeps the process";
  return undefined;
}

const ignorer = { shouldIgnore: nobodysRule };

/** The same for a mutant of the list and for the one that StrykerJS is about to run. */
const keyOf = ({ fileName, location: { start, end }, mutatorName, replacement }) =>
  [
    fileName.slice(fileName.lastIndexOf("src/agent/")),
    start.line,
    start.column,
    end.line,
    end.column,
    mutatorName,
    replacement,
  ].join(" ");

/** Every mutant of the files, `{ name, content }` each: its key, and where it stands as `mutate` has it. */
export async function mutantsOf(files) {
  const silent = { isDebugEnabled: () => false, debug: () => undefined, info: () => undefined, warn: () => undefined };
  const options = { plugins: null, excludedMutations: EXCLUDED, ignorers: [ignorer] };
  const { mutants } = await new Instrumenter(silent).instrument(
    files.map((file) => ({ ...file, mutate: true })),
    options,
  );
  return mutants
    .filter(({ status }) => status !== "Ignored")
    .map((mutant) => {
      const { start, end } = mutant.location;
      const range = `${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`;
      return { key: keyOf(mutant), range: `${mutant.fileName}:${range}` };
    });
}

/** Lets through the mutants that were drawn; others stand within the same lines. */
class Drawn {
  static inject = [commonTokens.options];
  #keys;

  constructor({ drawn }) {
    this.#keys = new Set(JSON.parse(readFileSync(drawn, "utf8")));
  }

  async init() {}

  async check(mutants) {
    const result = (mutant) =>
      this.#keys.has(keyOf(mutant)) ? { status: "passed" } : { status: "compileError", reason: "not drawn" };
    return Object.fromEntries(mutants.map((mutant) => [mutant.id, result(mutant)]));
  }

  group(mutants) {
    return [mutants.map(({ id }) => id)];
  }
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, "nobodys-rules", ignorer),
  declareClassPlugin(PluginKind.Checker, "drawn", Drawn),
];
