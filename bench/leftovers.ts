import { rmSync } from "node:fs";

const folders = new Set<string>();

/**
 * Removes the folder when this process ends, and returns it. Not before: ext4 does not reuse an inode for one to five minutes, and
 * looks past all of them for each new file. What a bench removed between two measures would be measured.
 */
export function removedAtEnd(folder: string): string {
  if (folders.size === 0)
    process.once("exit", () => {
      for (const each of folders) rmSync(each, { recursive: true, force: true });
    });
  folders.add(folder);
  return folder;
}
