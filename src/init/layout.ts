import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

export interface LayoutInput {
  /** The package: holds skel/, and dist/ or src/main/. */
  readonly packageFolder: string;
  /** Where the image's root is to be laid out. */
  readonly root: string;
  /** The Node that runs the programs. */
  readonly node: string;
}

function link(path: string, target: string): void {
  rmSync(path, { force: true, recursive: true });
  symlinkSync(target, path);
}

/** Whether `file` begins with `#!`. */
const isScript = (file: string): boolean => readFileSync(file).subarray(0, 2).toString() === "#!";

/**
 * Lays skel/ out below `root`, as the image has it below /, and links Node and the programs into it: the bundle when the
 * package has no sources, the sources otherwise. What the services wrote there stays.
 */
export function layOut({ packageFolder, root, node }: LayoutInput): void {
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const skel = join(packageFolder, "skel");
  cpSync(skel, root, { recursive: true, force: true });
  for (const name of readdirSync(skel, { recursive: true, encoding: "utf8" })) {
    const file = join(root, name);
    if (statSync(file).isFile() && isScript(file)) chmodSync(file, 0o755);
  }
  const home = join(root, "opt/mesos-slave");
  link(join(home, "node"), node);
  const sources = join(packageFolder, "src/main");
  const fromSources = existsSync(sources);
  rmSync(join(home, fromSources ? "dist" : "source"), { force: true });
  link(join(home, fromSources ? "source" : "dist"), fromSources ? sources : join(packageFolder, "dist"));
  for (const folder of ["run", "var/log/mesos", "var/log/supervisor", "var/lib/mesos", "etc/supervisor/conf.d"])
    mkdirSync(join(root, folder), { recursive: true });
}
