/**
 * `npm run build`: one bundle per program of src/main into dist/, and the node's page into dist/ui. Small and quick to start:
 * every import is inside, minified but with its names, so that a stack trace can be read. Source maps lie beside them with
 * `--sourcemap` only.
 *
 *   node tools/run.cjs tools/build.ts [--sourcemap] [--out FOLDER]
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
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

/** Builds every program into `out`, each on its own: sharing chunks would cost files to open at every start. */
export async function buildAll(
  out: string,
  options: { readonly sourcemap: boolean; readonly only?: readonly string[] },
): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const names = options.only ?? programs();
  await build({
    entryPoints: [...new Set(names.flatMap((name) => [name, ...(companions[name] ?? [])]))].map((name) =>
      join(main, `${name}.ts`),
    ),
    outdir: out,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    keepNames: true,
    define: buildFacts(),
    sourcemap: options.sourcemap ? "external" : false,
    legalComments: "none",
    banner: { js: banner },
    logLevel: "warning",
    absWorkingDir: root,
  });
  if (names.includes("mesos-slave")) await buildPage(join(out, "ui"));
  // Node reads the type of a module from the nearest package.json.
  writeFileSync(join(out, "package.json"), '{ "type": "module" }\n');
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
