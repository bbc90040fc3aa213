import { existsSync } from "node:fs";
import { join } from "node:path";
import { credentialHelper } from "../../../docker/credential-helper.ts";
import { engineEndpoint } from "../../../docker/endpoint.ts";
import { HttpEngine } from "../../../docker/http-engine.ts";
import type { ContainerizerContext, OpenedContainerizer } from "../context.ts";
import { DockerContainerizer } from "./containerizer.ts";
import { parseImageCollection } from "./image-gc-config.ts";
import { parseContainerDns } from "./networks.ts";

function connectEngine({ flags, environment, clock }: ContainerizerContext): HttpEngine {
  const endpoint = engineEndpoint((name) => environment[name], flags.docker_socket);
  return new HttpEngine(endpoint, clock);
}

/** Where Docker keeps its images, as far as it can be seen from here: for the room on that disk. */
const DOCKER_DATA = "/var/lib/docker";

const DISK_ISOLATORS = new Set(["disk/du", "posix/disk"]);

/** The Docker containerizer as the agent's flags and environment ask for it. */
export async function openDocker(context: ContainerizerContext): Promise<OpenedContainerizer> {
  const { flags, environment, clock, log, ownContainerId, identity, isRoot } = context;
  const engine = connectEngine(context);
  const folder = existsSync(DOCKER_DATA) ? DOCKER_DATA : flags.work_dir;
  const containerizer = await DockerContainerizer.open({
    engine,
    workDir: flags.work_dir,
    stateDirectory: join(flags.work_dir, "docker"),
    agent: identity,
    clock,
    log: log.named("docker.cpp"),
    switchesUser: flags.switch_user && isRoot,
    sandboxDirectory: flags.sandbox_directory,
    stopTimeout: flags.docker_stop_timeout,
    cfs: flags.cgroups_enable_cfs,
    ...(flags.default_container_dns !== undefined && { dns: parseContainerDns(flags.default_container_dns) }),
    killOrphans: flags.docker_kill_orphans,
    removeDelay: flags.docker_remove_delay,
    dockerConfig: flags.docker_config === undefined ? undefined : JSON.stringify(flags.docker_config),
    home: environment["HOME"],
    askHelper: credentialHelper(environment),
    ownContainerId,
    ...((flags.enforce_container_disk_quota || flags.isolation.some((name) => DISK_ISOLATORS.has(name))) && {
      diskQuota: { interval: flags.container_disk_watch_interval, enforce: flags.enforce_container_disk_quota },
    }),
    ...(flags.image_gc_config !== undefined && {
      imageCollection: parseImageCollection(flags.image_gc_config, { folder, dryRun: flags.gc_dry_run }),
    }),
    ...(flags.sandbox_log_max_size > 0 && {
      rotation: { maximum: flags.sandbox_log_max_size, keep: flags.sandbox_log_keep },
    }),
  });
  return {
    containerizer,
    figures: function* () {
      const { timeouts, unreachable } = engine.counters;
      yield ["containerizer/docker/calls_failed", timeouts + unreachable];
      yield ["containerizer/docker/available", containerizer.trouble() === undefined ? 1 : 0];
    },
  };
}
