import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/ARCHITECTURE.md"), "utf8");

/** The text between two headings or words of the page. */
function part(from: string, to: string): string {
  const start = page.indexOf(from);
  const end = page.indexOf(to, start);
  expect([start, end], `${from} … ${to}`).not.toContain(-1);
  return page.slice(start, end);
}

const filesIn = (text: string): string[] =>
  [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = ""]) => name).filter((name) => !name.includes("NAME"));

/** Where a file of the page lies: named from src/ or from src/agent/. */
const placeOf = (name: string): string | undefined =>
  ["src", "src/agent"].map((folder) => join(root, folder, name)).find((path) => existsSync(path));

describe("docs/ARCHITECTURE.md", () => {
  const rows = part("Three kinds of tasks", "And back:")
    .split("\n")
    .filter((line) => /^\| [a-z]/.test(line) && !line.includes("a command task |"))
    .map((line) => line.split("|").slice(2, 5));

  it.each([
    ["a command task", 0],
    ["a Docker task", 1],
    ["a task of an executor driver", 2],
  ])("%s is followed from the wire to the process in under 15 files", (_kind, column) => {
    const files = new Set(
      rows.flatMap((cells) => {
        const cell = cells[column] ?? "";
        return filesIn(/the same|as a command task's/.test(cell) ? (cells[0] ?? "") : cell);
      }),
    );
    expect(files.size).toBeGreaterThan(10);
    expect(files.size).toBeLessThan(15);
    for (const name of files) expect(placeOf(name), name).toBeDefined();
  });

  it("names files that are there", () => {
    const named = [
      part("And back:", "A task is in one bucket"),
      part("## HTTP", "## The forwarder"),
      part("## Adding", "## Tables"),
    ];
    for (const name of named.flatMap(filesIn)) {
      const below = ["src/agent", "src", "."].map((folder) => join(root, folder, name));
      expect(
        below.some((path) => existsSync(path)),
        name,
      ).toBe(true);
    }
  });
});
