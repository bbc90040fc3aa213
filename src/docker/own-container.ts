import { readFile } from "node:fs/promises";

/**
 * The id of the Docker container that this process runs in, from the mounts that Docker makes in every container
 * (`…/containers/<id>/hostname`), or else the cgroup path. Undefined on a host.
 */
export function ownContainerId(mountinfo: string, cgroup: string): string | undefined {
  const mounted = /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf) /.exec(mountinfo);
  const podman = /\/([0-9a-f]{64})\/userdata\/(?:hostname|hosts|resolv\.conf) /.exec(mountinfo);
  const grouped = /(?:docker|libpod)[-/]([0-9a-f]{64})(?:\.scope)?\s*$/m.exec(cgroup);
  return mounted?.[1] ?? podman?.[1] ?? grouped?.[1];
}

/** ownContainerId of this process; undefined when /proc cannot be read. */
export async function readOwnContainerId(): Promise<string | undefined> {
  const read = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");
  return ownContainerId(await read("/proc/self/mountinfo"), await read("/proc/self/cgroup"));
}
