import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { fillBlocks, wanted } from "../../tools/docs.ts";

const root = resolve(import.meta.dirname, "../..");

describe("the documentation", () => {
  it("is as the tables in the code have it (npm run docs)", () => {
    for (const [path, text] of wanted()) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(readFileSync(join(root, path), "utf8") === text, `${path} is stale: run npm run docs`).toBe(true);
    }
  });

  it("replaces blocks and nothing else", () => {
    const page = "a\n<!-- made: x -->\nold\n<!-- end: x -->\nb\n<!-- made: y -->\n<!-- end: y -->\n";
    const blocks = { x: () => "new\n", y: () => "$1" };
    const filled = "a\n<!-- made: x -->\nnew\n<!-- end: x -->\nb\n<!-- made: y -->\n$1\n<!-- end: y -->\n";
    expect(fillBlocks("p", page, blocks)).toBe(filled);
    expect(fillBlocks("p", filled, blocks)).toBe(filled);
    expect(() => fillBlocks("p", page, { x: () => "" })).toThrow("p: tools/docs.ts has no block 'y'");
    expect(() => fillBlocks("p", "<!-- made: x -->\nold", blocks)).toThrow("p: block 'x' has no <!-- end: x -->");
  });
});
