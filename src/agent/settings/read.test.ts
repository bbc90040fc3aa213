import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { agentFlags } from "../flags/table.ts";
import { loadAgentFlags } from "./load.ts";

/** Flags that take one value only: any other ends the start, and that is all that they can do. */
const ONE_VALUE = ["authenticatee", "authorizer"];

/** The text of everything that could act on a flag: not the tables, not what was made from messages, not tests. */
function* texts(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "gen" && !/agent\/(flags|settings)$/.test(path)) yield* texts(path);
    else if (entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts")) yield readFileSync(path, "utf8");
  }
}

const source = resolve(import.meta.dirname, "../..");
const all = ["agent", "main"].flatMap((room) => [...texts(join(source, room))]).join("\n");

/** `values.name`, `flags.name`, or taken out of one by a pattern. */
const isRead = (name: string): boolean =>
  [
    `\\b(?:values|flags)\\s*\\.\\s*${name}\\b`,
    `\\{[^{}]*\\b${name}\\b[^{}]*\\}\\s*=\\s*(?:\\w+\\.)*(?:values|flags)\\b`,
    `\\{[^{}]*\\b${name}\\b[^{}]*\\}:\\s*(?:Pick<)?AgentFlags\\b`,
  ].some((pattern) => new RegExp(pattern).test(all));

describe("flags that are marked supported", () => {
  const supported = Object.entries(agentFlags).flatMap(([name, { status }]) =>
    status.kind === "supported" ? [name] : [],
  );

  it.each(supported.filter((name) => !ONE_VALUE.includes(name)))("--%s is read by something", (name) => {
    expect(isRead(name)).toBe(true);
  });

  it.each(ONE_VALUE)("--%s refuses any value but its one", (name) => {
    const words = ["--master=127.0.0.1:1", `--${name}=other`];
    const loaded = loadAgentFlags({ words, environment: {}, readFile: () => "" });
    expect(loaded.ok ? [] : loaded.problems.map(({ text }) => text).join()).toContain("other");
  });

  it("that nothing reads would be found", () => {
    expect(isRead("no_such_flag")).toBe(false);
  });
});
