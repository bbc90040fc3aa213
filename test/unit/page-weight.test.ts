import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPage } from "../../tools/build-page.ts";

/** Bytes that the first view may cost, compressed as the agent sends it. */
const FIRST_VIEW = 19 * 1024;
/** The same, as a checkout serves it. */
const FIRST_VIEW_AS_WRITTEN = 28 * 1024;

const written = resolve(import.meta.dirname, "../../ui");

/** What a browser loads before it shows something: what the HTML names, and what scripts import at once. */
function firstView(folder: string): Set<string> {
  const loaded = new Set(["index.html"]);
  for (const name of loaded) {
    const text = readFileSync(join(folder, name), "utf8");
    const named = name.endsWith(".html")
      ? text.matchAll(/(?:src|href)="ui\/([^"]+)"/g)
      : text.matchAll(/(?:^|[;\n}])(?:import|export)\b[^;("']*["']\.\/([^"']+)["']/g);
    for (const [, file] of named) loaded.add(file ?? "");
  }
  return loaded;
}

const weight = (folder: string, names: Iterable<string>): number =>
  [...names].reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);

describe("the node's page as it is shipped", () => {
  const folder = mkdtempSync(join(tmpdir(), "page-"));

  beforeAll(async () => {
    await buildPage(folder);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  it("costs at most 19 KB before it shows something", () => {
    const first = firstView(folder);
    expect(first.size).toBeGreaterThan(3);
    expect(weight(folder, first)).toBeLessThanOrEqual(FIRST_VIEW);
  });

  it("fetches the other views when somebody opens them", () => {
    const first = [...firstView(folder)].join(" ");
    const later = readdirSync(folder).filter((name) => !first.includes(name));
    for (const view of ["task", "node", "metrics", "folder", "file"])
      expect(later.filter((name) => name.startsWith(`${view}-`))).toHaveLength(1);
    const names = [...firstView(written)];
    for (const view of ["task", "node", "metrics", "folder", "file"]) expect(names).not.toContain(`${view}.js`);
  });

  it("costs at most 28 KB where it is served as it is written", () => {
    const first = firstView(written);
    expect(first.size).toBeGreaterThan(10);
    expect(weight(written, first)).toBeLessThanOrEqual(FIRST_VIEW_AS_WRITTEN);
  });

  it("has every style sheet and every word of what is written", () => {
    const html = readFileSync(join(written, "index.html"), "utf8");
    const built = readFileSync(join(folder, "index.html"), "utf8");
    const words = (text: string): string => text.replaceAll(/<!--.*?-->|<link rel="stylesheet"[^>]*>|\s+/gs, "");
    expect(words(built)).toBe(words(html));
    const sheet = readFileSync(join(folder, "page.css"), "utf8");
    for (const name of readdirSync(written).filter((file) => file.endsWith(".css")))
      for (const [, selector] of readFileSync(join(written, name), "utf8").matchAll(/^([#.][\w-]+) \{/gm))
        expect(sheet, `${selector} of ${name}`).toContain(selector);
  });
});
