import { execFile } from "node:child_process";
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, normalize, relative } from "node:path";
import { codeOf } from "../../base/errors.ts";

/** Milliseconds for one batch: millions of files take their time. */
const TIMEOUT = 3_600_000;
const LONGEST_WORDS = 64 * 1024;

/**
 * Why `path` must not be deleted; undefined when it may be. It has to be written plainly, lie below `root`, and reach
 * there without any symbolic link.
 */
export async function removalProblem(root: string, path: string): Promise<string | undefined> {
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith("/")) return "it is not a plain absolute path";
  const way = relative(root, path);
  if (way === "" || way === ".." || way.startsWith("../")) return `it is not below '${root}'`;
  let parent: string;
  let realRoot: string;
  try {
    [parent, realRoot] = await Promise.all([realpath(dirname(path)), realpath(root)]);
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : `its folder cannot be looked at (${codeOf(error)})`;
  }
  const rest = relative(root, dirname(path));
  const expected = rest === "" ? realRoot : `${realRoot}/${rest}`;
  return parent === expected ? undefined : "it is reached through a symbolic link";
}

/**
 * Deletes folders with rm(1), which walks by file descriptors: a task that swaps a folder for a link meanwhile gains
 * nothing. Links are deleted, not followed; other file systems that are mounted below are left alone. Returns for each
 * path that is still there why.
 */
export function removeFolders(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  return new Promise((resolve) => {
    const options = { timeout: TIMEOUT, maxBuffer: LONGEST_WORDS, env: { LC_ALL: "C", PATH: "/usr/bin:/bin" } };
    execFile("rm", ["-rf", "--one-file-system", "--", ...paths], options, (error, _stdout, stderr) => {
      if (error === null) return resolve(new Map());
      const lines = stderr.split("\n");
      const check = async (): Promise<ReadonlyMap<string, string>> => {
        const left = new Map<string, string>();
        for (const path of paths) {
          if ((await lstat(path).catch(() => undefined)) === undefined) continue;
          const words = lines.find((line) => line.includes(path) || line.includes(basename(path)));
          left.set(path, words ?? error.message);
        }
        return left;
      };
      void check().then(resolve);
    });
  });
}
