import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { fillBlocks, wanted } from "../../tools/docs.ts";

const root = resolve(import.meta.dirname, "../..");

/** The names by which GitHub's pages lead to headings. */
const headingsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^#+ (.*)$/gm)].map(([, words = ""]) =>
    words
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

describe("the documentation", () => {
  it("is as the tables in the code have it (npm run docs)", () => {
    for (const [path, text] of wanted()) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(readFileSync(join(root, path), "utf8") === text, `${path} is stale: run npm run docs`).toBe(true);
    }
  });

  it("says how many packages a start installs", () => {
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>;
    };
    const needed = Object.entries(packages).filter(
      ([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional,
    );
    // Of Node itself, one for each architecture, one is installed.
    const nodes = needed.filter(([path]) => path.startsWith("node_modules/node-linux-"));
    const count = needed.length - nodes.length + 1;
    expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`added ${count} packages`);
  });

  it("leads to pages and headings that are there", () => {
    const folders = [".", "docs", "docs/decisions"];
    const pages = folders.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => name.endsWith(".md"))
        .map((name) => join(folder, name)),
    );
    expect(pages.length).toBeGreaterThan(20);
    const broken: string[] = [];
    for (const page of pages)
      for (const [, link = ""] of readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path = "", heading] = link.split("#");
        const target = path === "" ? page : join(dirname(page), path);
        if (!existsSync(join(root, target))) broken.push(`${page}: ${link}`);
        else if (heading !== undefined && !headingsOf(target).includes(heading)) broken.push(`${page}: ${link}`);
      }
    expect(broken).toEqual([]);
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
