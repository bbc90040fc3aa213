import { join } from "node:path";
import { createIsolation } from "../../isolators/isolation.ts";
import type { Isolation } from "../../model/isolation.ts";
import { Paths } from "../../model/paths.ts";
import { Rotation } from "../../sandbox/rotation.ts";
import type { ContainerizerContext, OpenedContainerizer } from "../context.ts";
import { Nested } from "../nested/containers.ts";
import { NestingContainerizer } from "../nested/nesting.ts";
import { NestedRecords } from "../nested/records.ts";
import { MesosSessions } from "../nested/sessions.ts";
import { ContainerTree } from "../nested/tree.ts";
import { MesosContainerizer } from "./containerizer.ts";
import { currentProcessSpace, ownerOf, RuntimeFolder } from "./runtime-folder.ts";

/** Milliseconds between looks at the size of sandboxes' output. */
const ROTATION_INTERVAL = 10_000;

const usesGroups = (isolation: readonly string[]): boolean =>
  isolation.includes("cgroups/cpu") || isolation.includes("cgroups");

const usesIo = (isolation: readonly string[]): boolean =>
  isolation.includes("cgroups/blkio") || isolation.includes("cgroups/io");

/** The mesos containerizer as the agent's flags ask for it, with the rotation of what its tasks write. */
export function openMesos(context: ContainerizerContext): OpenedContainerizer {
  const { flags, environment, clock, log, architecture, accounts } = context;
  const isIoAsked = flags.cgroups_io_max !== undefined || flags.cgroups_io_weight !== undefined;
  if (isIoAsked && !usesIo(flags.isolation))
    log.warn("--cgroups_io_max and --cgroups_io_weight have no effect: add cgroups/blkio to --isolation");
  const tree = new ContainerTree();
  const isolation = createIsolation(flags.isolation, context);
  const containerizer: MesosContainerizer = new MesosContainerizer({
    clock,
    log: log.named("containerizer.cpp"),
    runtimeDir: flags.runtime_dir,
    owner: flags.work_dir,
    volumesRoot: join(flags.work_dir, "volumes"),
    architecture,
    path: environment["PATH"],
    accounts,
    ending: (id) => tree.ending(id),
    limited: (id, limitation) => tree.limited(id, limitation),
    // The isolator posix/cpu always reports them, as in Mesos.
    countProcesses: flags.cgroups_cpu_enable_pids_and_tids_count || !usesGroups(flags.isolation),
    isolation,
  });
  const rotation = new Rotation({
    clock,
    log,
    maximumBytes: flags.sandbox_log_max_size,
    keep: flags.sandbox_log_keep,
    interval: ROTATION_INTERVAL,
    sandboxes: () => containerizer.running(),
  });
  containerizer.closed.on(() => rotation.close());
  return { containerizer: withNested(context, containerizer, tree, isolation), figures: () => isolation.figures() };
}

function withNested(
  { flags, clock, log: all, accounts, fetcher, gc, isRoot, architecture, environment }: ContainerizerContext,
  processes: MesosContainerizer,
  tree: ContainerTree,
  isolation: Isolation,
): NestingContainerizer {
  const log = all.named("containerizer.cpp");
  const folder = new RuntimeFolder(flags.runtime_dir, ownerOf(flags.work_dir), currentProcessSpace());
  const nested = new Nested({
    ...{ log, processes, tree, fetcher, accounts },
    records: new NestedRecords(folder, log),
    workDir: new Paths(flags.work_dir).workDir,
    switchesUser: flags.switch_user && isRoot,
    gc: flags.gc_non_executor_container_sandboxes ? gc : undefined,
  });
  const sessions = new MesosSessions({
    ...{ clock, log, tree, accounts, processes, switchesUser: flags.switch_user && isRoot },
    confinement: (id) => isolation.confinement(id),
    host: { architecture, path: environment["PATH"] },
  });
  return new NestingContainerizer({ log, processes, tree, nested, sessions });
}
