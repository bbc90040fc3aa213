import { basename, dirname } from "node:path";
import { NotHeld } from "../../model/held/descriptor.ts";
import { HeldFolder } from "../../model/held/folder.ts";

/**
 * Sees to the sources of binds that lie in the sandbox (relative host paths). The daemon takes them by name, as root: a
 * link that an archive left there would show the container any folder of the machine. Missing ones are made, the owner's
 * of the sandbox and not root's, as the daemon would make them. Throws a NotHeld that names the link.
 */
export function makeBoundFolders(sandbox: string, binds: readonly string[]): void {
  const ways = binds
    .filter((bind) => bind.startsWith(`${sandbox}/`))
    .map((bind) => bind.slice(sandbox.length + 1).split(":")[0] ?? "")
    .filter((way) => way !== "");
  if (ways.length === 0) return;
  using root = HeldFolder.open(sandbox);
  const make = { mode: 0o755, owner: root.stat() };
  for (const way of ways) {
    using parent = root.walk(dirname(way), make);
    const name = basename(way);
    const present = parent.look(name);
    if (present === undefined) parent.make(name, make.mode, make.owner).close();
    else if (!present.isDirectory() && !(present.isFile() && present.nlink === 1))
      throw new NotHeld(`${sandbox}/${way}`, "is neither a folder nor a file of its own, and cannot be a volume");
  }
}
