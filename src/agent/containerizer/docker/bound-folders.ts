import { basename, dirname, normalize } from "node:path";
import type { HostConfig } from "../../../docker/create-request.ts";
import { NotHeld } from "../../model/held/descriptor.ts";
import { HeldFolder } from "../../model/held/folder.ts";

/** The paths that the daemon is to take by name: of structured mounts, and of the text binds of a task's own parameters. */
export function boundSources({ Mounts = [], Binds = [] }: Pick<HostConfig, "Mounts" | "Binds">): string[] {
  const ofMounts = Mounts.flatMap(({ Type, Source }) => (Type === "bind" && Source !== undefined ? [Source] : []));
  return [...ofMounts, ...Binds.map((bind) => bind.split(":")[0] ?? "")];
}

/**
 * Sees to the sources of mounts that lie in the sandbox (relative host paths). The daemon takes them by name, as root: a
 * link that an archive left there would show the container any folder of the machine. Missing ones are made, the owner's
 * of the sandbox and not root's, as the daemon would make them. Throws a NotHeld that names the link.
 */
export function makeBoundFolders(sandbox: string, sources: readonly string[]): void {
  const ways = sources
    .map((source) => normalize(source))
    .filter((source) => source.startsWith(`${sandbox}/`))
    .map((source) => source.slice(sandbox.length + 1).replace(/\/$/, ""))
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
