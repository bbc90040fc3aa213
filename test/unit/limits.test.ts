import { globSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

/** What docs/style.md promises of every file. */
const root = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const ours = (pattern: string): string[] =>
  globSync(pattern, { cwd: root }).filter((file) => !/(^|\/)node_modules\/|\/gen\//.test(file));

const LONGEST = 400;
const code = ours("{src,test,tools,bench}/**/*.{ts,cjs}").concat(ours("ui/*.{js,css,html}"));
const sources = ours("src/**/*.ts").filter((file) => !file.endsWith(".test.ts"));

/** The members of function type in the interfaces that parts are made with. */
function closuresIn(text: string): string[] {
  const bags =
    /^(?:export )?(?:interface|type) \w*(?:Options|Parts|Context|Input|Settings|Tools)\b[^{]*\{\n([\s\S]*?)^\}/gm;
  return [...text.matchAll(bags)].flatMap(([, body = ""]) =>
    body.split("\n").filter((line) => /^ {2}(readonly )?\w+\??: \(+($|.*=>)|^ {2}\w+\??\(/.test(line)),
  );
}

/**
 * How many closures the parts of a room are given, at most: what a room needs from another is an object with a name, and a
 * closure is for what happens (`ended`) or what the machine does (`random`, `readFile`). A figure may fall; who raises
 * one says why a name would not do.
 */
const MOST_CLOSURES: readonly (readonly [folder: string, most: number])[] = [
  ["src/agent/tasks", 0],
  ["src/agent/recovery", 0],
  ["src/agent/status-updates", 0],
  ["src/agent/master", 8],
  ["src/agent", 50],
  ["src", 115],
];

describe("limits", () => {
  it(`no file has more than ${LONGEST} lines`, () => {
    expect(code.length).toBeGreaterThan(500);
    const long = code.map((file) => [file, read(file).split("\n").length - 1] as const);
    expect(long.filter(([, lines]) => lines > LONGEST)).toEqual([]);
  });

  it("whatever says by whom it is run can be run", () => {
    const scripts = ours("{.ci,bin,bench,skel,test,tools}/**/*").filter((file) => {
      const path = join(root, file);
      return statSync(path).isFile() && readFileSync(path).subarray(0, 2).toString() === "#!";
    });
    expect(scripts).toContain("test/platforms/image.sh");
    expect(scripts.filter((file) => (statSync(join(root, file)).mode & 0o100) === 0)).toEqual([]);
  });

  it("a test that skips fails where nothing may be missing, and says what", () => {
    const skipping = ours("{src,test}/**/*.test.ts").filter((file) => /\.skip\(|\.(skip|run)If\(/.test(read(file)));
    expect(skipping.length).toBeGreaterThan(20);
    // With words of its own: through test/support/missing.ts.
    expect(skipping.filter((file) => /\.skip\(["`)]/.test(read(file)))).toEqual([]);
    expect(skipping.filter((file) => !/process\.env\["CI"\]|\bcanAttack\b/.test(read(file)))).toEqual([]);
  });

  it.each(MOST_CLOSURES)("what %s is made with has at most %i members of function type", (folder, most) => {
    const found = sources
      .filter((file) => file.startsWith(`${folder}/`))
      .flatMap((file) => closuresIn(read(file)).map((line) => `${file}: ${line.trim()}`));
    expect(found.slice(most)).toEqual([]);
  });

  it("a test that replaces a module leaves it to no other, and takes it from none: they share what they import", () => {
    const replacing = ours("src/**/*.test.ts")
      .concat(ours("test/{unit,agent}/**/*.test.ts"))
      .filter((file) => /^\s*vi\.mock\(/m.test(read(file)));
    expect(replacing.length).toBeGreaterThan(0);
    const resets = (file: string): boolean =>
      /vi\.hoisted\([^;]*vi\.resetModules\(\)/.test(read(file)) &&
      /^afterAll\(.*vi\.resetModules\(\)/m.test(read(file));
    expect(replacing.filter((file) => !resets(file))).toEqual([]);
  });

  it("an agent is started, ended and looked at; nobody reads what it was made with", () => {
    const body = /^export class Agent \{\n([\s\S]*?)^\}/m.exec(read("src/agent/agent.ts"))?.[1] ?? "";
    const members = [...body.matchAll(/^ {2}(?!readonly #|#|\/|\*|\})(?:async |get |readonly )*(\w+)/gm)].map(
      ([, name]) => name,
    );
    expect(members).toEqual(["constructor", "recoverySeconds", "start", "shutdown", "settled", "close"]);
    const reached = sources.filter((file) => file.startsWith("src/agent/") && /\bagent\.options\b/.test(read(file)));
    expect(reached).toEqual([]);
  });

  it("HTTP is answered by src/http alone: heads, negotiation and servers stand nowhere else", () => {
    const outside = sources.filter((file) => !file.startsWith("src/http/"));
    const those = (pattern: RegExp): string[] => outside.filter((file) => pattern.test(read(file))).sort();
    const port = ["src/forwarder/monitoring/server.ts", "src/libprocess/inbound.ts"];
    expect(those(/\bcreateServer\b[^;]*node:http"/)).toEqual(port);
    expect(those(/\.writeHead\(|\.setHeader\(/)).toEqual([]);
    const byHand = /^(?!.*\bfirstAccepted\().*(\["accept(-encoding)?"\]|\bheaders\.accept\b)/m;
    expect(those(byHand)).toEqual([]);
  });
});
