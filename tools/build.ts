/**
 * `npm run build`: one bundle per program of src/main into dist/, and the node's page into dist/ui. Small and quick to start:
 * every import is inside, without white space but with its names, so that a stack trace can be read. Source maps lie beside them with
 * `--sourcemap` only. Those that run for long or often are kept compiled, too (tools/load.cjs).
 *
 *   node tools/run.cjs tools/build.ts [--sourcemap] [--out FOLDER]
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BuildOptions, build } from "esbuild";
import { buildPage } from "./build-page.ts";

const root = resolve(import.meta.dirname, "..");
const main = join(root, "src/main");

/** The programs: every file of src/main but tests. */
export const programs = (): string[] =>
  readdirSync(main)
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => name.slice(0, -".ts".length));

/** Programs that another one starts beside itself: where it is built, they are, too. */
const companions: Readonly<Record<string, readonly string[]>> = { "mesos-slave": ["mesos-fetcher"] };

/** Programs that are kept compiled. They have no `await` outside a function: their bundles are scripts. */
const COMPILED: readonly string[] = ["mesos-slave", "logstash-forwarder", "mesos-fetcher", "cli"];

// Libraries in CommonJS want `require`, and some __dirname, which a module does not have.
const banner = [
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("");

/** What src/base/release.ts reads. SOURCE_DATE_EPOCH makes the same input give the same bytes. */
function buildFacts(): Record<string, string> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const seconds = Number(process.env["SOURCE_DATE_EPOCH"] ?? Math.floor(Date.now() / 1000));
  return { BUILD_VERSION: JSON.stringify(version), BUILD_SECONDS: String(seconds) };
}

/** Everything but the entries. */
const common = (): BuildOptions => ({
  bundle: true,
  platform: "node",
  target: "node24",
  // Not its names: giving functions back the names that were taken costs 3 MB and a call for each closure.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
  logLevel: "warning",
  absWorkingDir: root,
});

/** A script, the program that runs it, and what Node makes of it. */
async function buildCompiled(out: string, names: readonly string[], sourcemap: "external" | false): Promise<void> {
  await build({
    ...common(),
    entryPoints: names.map((name) => join(main, `${name}.ts`)),
    outdir: out,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    define: { ...buildFacts(), "import.meta.filename": "__filename", "import.meta.dirname": "__dirname" },
    sourcemap,
  });
  copyFileSync(join(import.meta.dirname, "load.cjs"), join(out, "load.cjs"));
  for (const name of names)
    writeFileSync(join(out, `${name}.js`), `import load from "./load.cjs";\nload.run("${name}");\n`);
  for (const name of names) keepCompiled(out, name);
}

/** Each in a process of its own, which shows its version, or sees that it was given nothing to do, and ends. */
function keepCompiled(out: string, name: string): void {
  const script = "const [, load, bundle, ...words] = process.argv; require(load).compile(bundle, words)";
  const words = [join(out, "load.cjs"), join(out, `${name}.cjs`), "--version"];
  const { stderr } = spawnSync(process.execPath, ["-e", script, "--", ...words], { env: {}, encoding: "utf8" });
  if (!readdirSync(out).some((file) => file.startsWith(`${name}.v`)))
    throw new Error(`${name} is not compiled: ${stderr}`);
}

/**
 * Where a text has a letter beyond ASCII. With one of them Node keeps two bytes for each of a bundle's letters, and what
 * tools/load.cjs reads would be another text.
 */
export const wideLetterOf = (text: string): string | undefined => /.{0,40}[^\0-\x7f].{0,10}/.exec(text)?.[0];

function refuseWideLetters(out: string): void {
  for (const name of readdirSync(out).filter((file) => /\.c?js$/.test(file))) {
    const found = wideLetterOf(readFileSync(join(out, name), "utf8"));
    if (found !== undefined)
      throw new Error(
        `${name} has a letter beyond ASCII: ${found}\n  Fix: \\u00b5 in a regular expression or String.raw`,
      );
  }
}

/** Builds every program into `out`, each on its own: sharing chunks would cost files to open at every start. */
export async function buildAll(
  out: string,
  options: { readonly sourcemap: boolean; readonly only?: readonly string[] },
): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const wanted = options.only ?? programs();
  const names = [...new Set(wanted.flatMap((name) => [name, ...(companions[name] ?? [])]))];
  const sourcemap = options.sourcemap ? "external" : false;
  await build({
    ...common(),
    entryPoints: names.filter((name) => !COMPILED.includes(name)).map((name) => join(main, `${name}.ts`)),
    outdir: out,
    format: "esm",
    define: buildFacts(),
    sourcemap,
    banner: { js: banner },
  });
  // Node reads the type of a module from the nearest package.json.
  writeFileSync(join(out, "package.json"), '{ "type": "module" }\n');
  const compiled = names.filter((name) => COMPILED.includes(name));
  if (compiled.length > 0) await buildCompiled(out, compiled, sourcemap);
  refuseWideLetters(out);
  if (names.includes("mesos-slave")) await buildPage(join(out, "ui"));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { sourcemap: { type: "boolean", default: false }, out: { type: "string" } },
  });
  const out = resolve(values.out ?? join(root, "dist"));
  await buildAll(out, { sourcemap: values.sourcemap });
  for (const name of readdirSync(out, { recursive: true, encoding: "utf8" }).sort())
    console.log(`${String(Math.ceil(statSync(join(out, name)).size / 1024)).padStart(6)} KB  ${name}`);
}
