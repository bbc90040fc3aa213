import { realpathSync } from "node:fs";
import { getuid } from "node:process";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Resource } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { HeldFolder } from "../model/held/folder.ts";
import { persistentVolumePath } from "../model/volumes.ts";

/**
 * Gives the persistent volumes among `resources` to the owner of the sandbox, as Mesos 1.x does: the directory itself,
 * not what is in it. A shared volume that somebody else uses already stays theirs. What cannot be changed is logged: the
 * task may still be able to read it.
 */
export function ownVolumes(workDir: string, resources: readonly Resource[], sandbox: string, log: Logger): void {
  for (const resource of resources) {
    const path = persistentVolumePath(workDir, resource);
    if (path === undefined) continue;
    try {
      using box = HeldFolder.open(sandbox);
      using volume = HeldFolder.open(realpathSync(path));
      const [wanted, now] = [box.stat(), volume.stat()];
      if (wanted.uid === now.uid && wanted.gid === now.gid) continue;
      if (resource.shared !== undefined && now.uid !== getuid?.()) continue;
      volume.chown(wanted);
    } catch (error) {
      log.warn(`Cannot give the persistent volume ${path} to the owner of ${sandbox}: ${messageOf(error)}`);
    }
  }
}
