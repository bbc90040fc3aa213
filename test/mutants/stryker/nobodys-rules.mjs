// What no test should hold (docs/decisions/0007-the-net.md): mutants of it are not made.
import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

/** The last name of `a`, `a.b`, `this.#b`. */
const nameOf = (node) => node?.property?.id?.name ?? node?.property?.name ?? node?.name;

const isCall = ({ type }) => type === "CallExpression" || type === "OptionalCallExpression";

/** `log.warn(…)`, `this.#options.log.warn(…)`: people read it, nothing depends on it. */
const isLogged = (node) =>
  isCall(node) && nameOf(node.callee.object) !== undefined && /^log$/.test(nameOf(node.callee.object));

/** `timer.unref()`: whether the process may end while it waits; in a test it goes on anyhow. */
const isUnref = (node) => isCall(node) && nameOf(node.callee) === "unref";

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, "nobodys-rules", {
    shouldIgnore({ node }) {
      if (isLogged(node)) return "what is logged";
      if (isUnref(node)) return "whether a timer keeps the process";
      return undefined;
    },
  }),
];
