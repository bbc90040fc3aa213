import { describe, expect, it } from "vitest";
import { mutated } from "../../tools/mutants-types.ts";

const source = "const one = 1;\nconst both = a && b || c?.d.e;\n";
const within = (line: number, start: number, end: number) => ({
  start: { line, column: start },
  end: { line, column: end },
});

describe("the text of a file with a mutant in it", () => {
  it("has the mutant at its place", () => {
    const mutant = { mutatorName: "StringLiteral", replacement: "2", location: within(1, 13, 14) };
    expect(mutated(source, mutant)).toBe(source.replace("1", "2"));
  });

  it("keeps operators together", () => {
    const mutant = { mutatorName: "LogicalOperator", replacement: "a || b", location: within(2, 14, 20) };
    expect(mutated(source, mutant)).toContain("const both = (a || b) || c?.d.e;");
  });

  it("keeps a chain with its rest", () => {
    const mutant = { mutatorName: "OptionalChaining", replacement: "c.d", location: within(2, 24, 28) };
    expect(mutated(source, mutant)).toContain("const both = a && b || c.d.e;");
  });
});
