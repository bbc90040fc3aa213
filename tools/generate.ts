/**
 * src/mesos/gen, made from proto/ by Buf. It is committed, so that a node starts without Buf (130 MB).
 *
 *   node tools/run.cjs tools/generate.ts           write it
 *   node tools/run.cjs tools/generate.ts --check   fail, naming each file, when one is not as it would be written
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const GENERATED = "src/mesos/gen";

/** Generates into `folder`/src/mesos/gen. */
function generate(folder: string): void {
  const { status } = spawnSync(join(root, "node_modules/.bin/buf"), ["generate", "-o", folder], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("buf generate failed");
}

function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Files of src/mesos/gen that differ from what proto/ says, too many or too few. */
function stale(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "mesos-slave-generate-"));
  try {
    generate(folder);
    const names = [folder, root].flatMap((where) =>
      readdirSync(join(where, GENERATED), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")),
    );
    return [...new Set(names)]
      .map((name) => join(GENERATED, name))
      .filter((name) => textOf(join(folder, name)) !== textOf(join(root, name)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const found = stale();
    for (const name of found) console.error(`${name} is stale: run \`npm run generate\``);
    process.exitCode = found.length === 0 ? 0 : 1;
  } else generate(root);
}
