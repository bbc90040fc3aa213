import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.ts";

/** What editors, package managers and people leave beside a file: `a~`, `#a#`, `a.bak.1`, `a.dpkg-old`, `4913` (vim). */
const LEFT_OVER =
  /~$|^#.*#$|^\d+$|^(Thumbs\.db|desktop\.ini)$|\.(bak|backup|old|orig|save|rej|te?mp|part|new|copy|disabled|off|lock|lck|sw[a-z]|un~|kate-swp|rpm(new|save|orig|old)|dpkg-[\w-]+|ucf-[\w-]+|pac(new|save))([-._~]?\d[-\w.:~]*)?$/i;

/** What is said of a file that is left out. */
export const leftOutWords = (file: string): string =>
  `'${file}' is left out: it looks like an editor's or a package's leftover`;

/** The files of a configuration, in the order of their names, and what was left out of its folder. */
export interface ConfigFiles {
  readonly files: readonly string[];
  readonly leftOut: readonly string[];
}

/** The file at `path`, or the files of the folder. Hidden ones are nobody's configuration. Throws a UserError. */
export function configFilesAt(path: string): ConfigFiles {
  try {
    if (!statSync(path).isDirectory()) return { files: [path], leftOut: [] };
    const names = readdirSync(path).filter((name) => !name.startsWith("."));
    const files = names.map((name) => join(path, name)).sort();
    const left = files.filter((file) => LEFT_OVER.test(file.slice(path.length).replace(/^\/+/, "")) || !isFile(file));
    return {
      files: files.filter((file) => !left.includes(file)),
      leftOut: left.filter((file) => !isFolder(file)),
    };
  } catch (error) {
    throw new UserError(
      `cannot read the configuration '${path}': ${messageOf(error)}`,
      "give an existing file or folder to -config",
    );
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
