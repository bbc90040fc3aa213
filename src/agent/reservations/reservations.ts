import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { messageOf, UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import type { Operation, Resource } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resource_DiskInfo_Source_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { configuredForm } from "../../mesos/resource-operations.ts";
import { Resources } from "../../mesos/resources.ts";
import { formatResources } from "../../mesos/resources-text.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import { HeldFolder } from "../model/held/folder.ts";
import { emptyFolder, removeTree } from "../model/held/removal.ts";
import type { Paths } from "../model/paths.ts";
import { persistentVolumePath } from "../model/volumes.ts";
import { mountedRoot } from "../resources/disks.ts";

export interface ReservationsOptions {
  readonly paths: Paths;
  readonly log: Logger;
  /** What --resources gives. */
  readonly configured: Resources;
  readonly store: CheckpointStore;
  /** Written down together with the resources that they changed. */
  readonly operations: { pending(): Operation[] };
}

/** The dynamic reservations and persistent volumes of this agent (mesos-wire §3.12). */
export class Reservations {
  readonly #options: ReservationsOptions;
  readonly #changes = new SerialQueue();
  #resources: Resources = Resources.empty;

  constructor(options: ReservationsOptions) {
    this.#options = options;
  }

  get all(): Resources {
    return this.#resources;
  }

  /** The agent's resources with reservations and volumes in place of what they were carved out of. */
  get total(): Resources {
    return this.totalOf(this.#options.configured);
  }

  /**
   * Takes over what was checkpointed. Throws when the configured resources cannot hold it: a master that is told so
   * aborts, and every one that is elected after it.
   */
  async recover(checkpointed: readonly Resource[], target: readonly Resource[] | undefined): Promise<void> {
    this.#resources = Resources.of(checkpointed).unallocated();
    if (target !== undefined) {
      this.#options.log.warn("A change of reservations was interrupted: doing it again");
      await this.#changes.add(() => this.#commit(Resources.of(target).unallocated()));
    } else this.#check(this.#resources);
  }

  #check(resources: Resources): void {
    const { configured } = this.#options;
    if (configured.contains(configuredForm(resources))) return;
    throw new UserError(
      `Checkpointed resources ${formatResources(resources)} are incompatible with agent resources ${formatResources(configured)}`,
      "give --resources at least what was reserved or made into volumes, or unreserve it first, or start with an empty work_dir",
    );
  }

  /**
   * The master's complete new list. Resolves when it is durable and the volumes' directories are there. Old masters send
   * it after every re-registration: the one that is known already is not written again.
   */
  replace(resources: readonly Resource[]): Promise<void> {
    return this.#changes.add(async () => {
      const next = Resources.of(resources).unallocated();
      if (!next.equals(this.#resources)) await this.#commit(next);
    });
  }

  /**
   * An operation: `convert` gets the total as earlier changes left it, and says what it becomes. Resolves as replace()
   * does. What `convert` throws is thrown, and nothing is changed.
   */
  change(convert: (total: Resources) => Resources): Promise<void> {
    return this.#changes.add(() => this.#commit(convert(this.total).needingCheckpoint()));
  }

  async #commit(next: Resources): Promise<void> {
    this.#check(next);
    if (next.equals(this.#resources)) {
      await this.#checkpoint(next, undefined);
      return;
    }
    const before = this.#volumes(this.#resources);
    const after = this.#volumes(next);
    await this.#checkpoint(next, async () => {
      for (const [path, resource] of after)
        if (!before.has(path) || !isMountDisk(resource)) await this.#make(path, resource);
      for (const [path, resource] of before) if (!after.has(path)) await this.#destroy(path, resource);
    });
    this.#resources = next;
    this.#options.log.info(`Checkpointed resources are now '${formatResources(next)}'`);
  }

  /** Two phases: target, `apply`, commit. `apply` is undefined when the list is as it was. */
  #checkpoint(resources: Resources, apply: (() => Promise<void>) | undefined): Promise<void> {
    const { store, operations } = this.#options;
    return store.resourceState(resources, operations.pending(), apply);
  }

  #volumes(resources: Resources): Map<string, Resource> {
    const found = new Map<string, Resource>();
    for (const resource of resources.toMessages()) {
      const path = persistentVolumePath(this.#options.paths.workDir, resource);
      if (path !== undefined) found.set(path, resource);
    }
    return found;
  }

  /** A MOUNT disk's root is the volume: it is there, or was taken off since the start. */
  async #make(path: string, resource: Resource): Promise<void> {
    if (isMountDisk(resource)) mountedRoot(path, this.#options.paths.workDir);
    else await mkdir(path, { recursive: true });
  }

  /** A MOUNT disk's root stays, its content goes. */
  async #destroy(path: string, resource: Resource): Promise<void> {
    try {
      if (isMountDisk(resource)) {
        // Somebody may have taken it off: what is there then is not the volume.
        using root = HeldFolder.open(mountedRoot(path, this.#options.paths.workDir));
        await emptyFolder(root);
      } else {
        using parent = HeldFolder.open(await realpath(dirname(path)));
        await removeTree(parent, basename(path));
      }
      this.#options.log.info(`Deleted persistent volume '${resource.disk?.persistence?.id}' at ${path}`);
    } catch (error) {
      this.#options.log.error(`Cannot delete persistent volume at ${path}: ${messageOf(error)}`);
    }
  }

  /** `configured` with reservations and volumes in place of what they were carved out of. */
  totalOf(configured: Resources): Resources {
    return configured.subtract(configuredForm(this.#resources)).add(this.#resources);
  }

  /** Whether every reservation and volume that a task uses is known here. */
  knows(resources: readonly Resource[]): boolean {
    return this.#resources.contains(Resources.of(resources).needingCheckpoint().unallocated());
  }
}

const isMountDisk = ({ disk }: Resource): boolean => disk?.source?.type === Resource_DiskInfo_Source_Type.MOUNT;
