import { realpath } from "node:fs/promises";
import type { Logger } from "../../base/log.ts";
import { type MountPoint, mountsBelow, readMounts } from "../model/mount-table.ts";

/** Says of what tasks left mounted in their sandboxes, once of each mount: the machine keeps it until the sandbox goes. */
export class LeftMounts {
  readonly #log: Pick<Logger, "warn">;
  readonly #workDir: string;
  readonly #read: () => Promise<readonly MountPoint[]>;
  #told = new Set<number>();

  constructor(log: Pick<Logger, "warn">, workDir: string, read: () => Promise<readonly MountPoint[]> = readMounts) {
    this.#log = log;
    this.#workDir = workDir;
    this.#read = read;
  }

  /** Looks at the folders of what has ended, which may be 100,000: only when something is mounted below work_dir at all. */
  async look(paths: () => Iterable<string>): Promise<void> {
    const root = await realpath(this.#workDir);
    const mounts = (await this.#read()).filter(({ path }) => path.startsWith(`${root}/`));
    const known = this.#told;
    this.#told = new Set(mounts.map(({ id }) => id).filter((id) => known.has(id)));
    if (mounts.every(({ id }) => this.#told.has(id))) return;
    const folders = new Set<string>();
    for (const path of paths())
      if (path.startsWith(`${this.#workDir}/`)) folders.add(root + path.slice(this.#workDir.length));
    for (const [folder, left] of mountsBelow(mounts, folders)) {
      for (const { id, path, what } of left) {
        if (this.#told.has(id)) continue;
        this.#told.add(id);
        this.#log.warn(
          `'${path}' (${what}) was left mounted in '${folder}', whose task has ended. It is unmounted when the sandbox is ` +
            `removed; sooner with: umount '${path}'`,
        );
      }
    }
  }
}
