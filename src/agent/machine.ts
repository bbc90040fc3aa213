import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { credentialHelper } from "../docker/credential-helper.ts";
import { engineEndpoint } from "../docker/endpoint.ts";
import { HttpEngine } from "../docker/http-engine.ts";
import { DockerContainerizer } from "./containerizer/docker/containerizer.ts";
import { parseImageCollection } from "./containerizer/docker/image-gc-config.ts";
import { parseContainerDns } from "./containerizer/docker/networks.ts";
import { MesosContainerizer } from "./containerizer/mesos/containerizer.ts";
import { Identities } from "./containerizer/mesos/identity.ts";
import { Fetcher } from "./fetcher/fetcher.ts";
import { type AgentFlags, agentFlags } from "./flags/table.ts";
import { createIsolation } from "./isolators/isolation.ts";
import type { Containerizer, ContainerSpec } from "./model/container.ts";
import type { Identity } from "./model/identity.ts";
import { Rotation } from "./sandbox/rotation.ts";
import { createSandbox } from "./sandbox/sandbox.ts";

/** Milliseconds between looks at the size of sandboxes' output. */
const ROTATION_INTERVAL = 10_000;

export interface AssemblyInput {
  readonly flags: AgentFlags;
  /** The agent's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `process.arch` */
  readonly architecture: string;
  /** The agent's own process id, for log lines in sandboxes. */
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: Identity;
  /** The container that the agent itself runs in. */
  readonly ownContainerId: string | undefined;
}

/** What stands on the machine: containers, sandboxes, downloads. */
export interface Assembly {
  readonly containerizers: readonly Containerizer[];
  /** Figures that the rooms keep themselves, by the names of the metrics. */
  readonly figures: () => Iterable<readonly [string, number]>;
  close(): void;
  readonly createSandbox: (directory: string, user: string | undefined) => void | Promise<void>;
}

/** Throws a UserError for settings that cannot be met (unknown isolators, an address of Docker that is none). */
export async function assemble(input: AssemblyInput): Promise<Assembly> {
  const { flags, clock, log } = input;
  const identities = new Identities(clock);
  const fetcher = buildFetcher(input);
  const engine = flags.containerizers.includes("docker") ? connectEngine(input) : undefined;
  const mesos = flags.containerizers.includes("mesos") ? buildMesos(input, identities, fetcher) : undefined;
  const docker = engine === undefined ? undefined : await buildDocker(input, engine, identities, fetcher);
  const rotation = new Rotation({
    clock,
    log,
    maximumBytes: flags.sandbox_log_max_size,
    keep: flags.sandbox_log_keep,
    interval: ROTATION_INTERVAL,
    sandboxes: () => mesos?.running().map(({ sandbox }) => sandbox) ?? [],
  });
  const byName: Readonly<Record<string, Containerizer | undefined>> = { mesos, docker };
  return {
    containerizers: flags.containerizers.flatMap((name) => byName[name] ?? []),
    figures: function* () {
      for (const [name, value] of Object.entries(fetcher.figures)) yield [`containerizer/fetcher/${name}`, value];
      if (engine === undefined) return;
      const { timeouts, unreachable } = engine.counters;
      yield ["containerizer/docker/calls_failed", timeouts + unreachable];
      yield ["containerizer/docker/available", docker?.trouble() === undefined ? 1 : 0];
    },
    close: () => rotation.close(),
    createSandbox: (directory, user) => {
      if (user === undefined) return createSandbox(directory, undefined);
      return identities.of(user).then((owner) => createSandbox(directory, owner));
    },
  };
}

/** Throws a UserError when the folder that was named for the cache cannot be trusted; without the usual one it goes on. */
function buildFetcher({ flags, environment, clock, log, pid }: AssemblyInput): Fetcher {
  const names = ["PATH", "HOME", "HADOOP_HOME", "JAVA_HOME", "http_proxy", "https_proxy", "no_proxy"];
  const fetcher = new Fetcher({
    clock,
    cacheFolder: flags.fetcher_cache_dir,
    cacheBytes: flags.fetcher_cache_size,
    stallTimeout: flags.fetcher_stall_timeout,
    frameworksHome: flags.frameworks_home || undefined,
    hadoopHome: flags.hadoop_home || environment["HADOOP_HOME"],
    environment: Object.fromEntries(
      names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
    ),
    pid,
  });
  if (fetcher.cacheTrouble !== undefined) {
    const problem = `${flags.fetcher_cache_dir} cannot be the fetcher's cache: ${fetcher.cacheTrouble}`;
    const fix = "remove it, or name a folder of the agent's own with --fetcher_cache_dir";
    if (flags.fetcher_cache_dir !== agentFlags.fetcher_cache_dir.default) throw new UserError(problem, fix);
    log.warn(`${problem}. Nothing is cached; ${fix}`);
  }
  return fetcher;
}

/** Brings a container's URIs into its sandbox, owned by its user. */
async function fetchFor(
  spec: ContainerSpec,
  identities: Identities,
  fetcher: Fetcher,
  signal: AbortSignal,
): Promise<void> {
  const { containerId, sandbox, user: name, command } = spec;
  if (command.uris.length === 0) return;
  const user = name === undefined ? undefined : { name, ...(await identities.of(name)) };
  await fetcher.fetch({ containerId, sandbox, user, uris: command.uris, signal });
}

function buildMesos(input: AssemblyInput, identities: Identities, fetcher: Fetcher): MesosContainerizer {
  const { flags, environment, clock, log, architecture } = input;
  return new MesosContainerizer({
    clock,
    log: log.named("containerizer.cpp"),
    runtimeDir: flags.runtime_dir,
    owner: flags.work_dir,
    volumesRoot: join(flags.work_dir, "volumes"),
    architecture,
    path: environment["PATH"],
    identities,
    fetch: (spec, _user, signal) => fetchFor(spec, identities, fetcher, signal),
    isolation: createIsolation(flags.isolation, {
      cgroups: {
        clock,
        hierarchy: flags.cgroups_hierarchy,
        root: flags.cgroups_root,
        agent: flags.work_dir,
        destroyTimeout: flags.cgroups_destroy_timeout,
        settings: { cfs: flags.cgroups_enable_cfs, swap: flags.cgroups_limit_swap },
      },
      disk: {
        clock,
        log,
        interval: flags.container_disk_watch_interval,
        enforce: flags.enforce_container_disk_quota,
      },
    }),
  });
}

function connectEngine({ flags, environment, clock }: AssemblyInput): HttpEngine {
  const endpoint = engineEndpoint({
    socket: flags.docker_socket,
    dockerHost: environment["DOCKER_HOST"],
    certPath: environment["DOCKER_CERT_PATH"],
    tlsVerify: Boolean(environment["DOCKER_TLS_VERIFY"]),
    tls: Boolean(environment["DOCKER_TLS"]),
  });
  return new HttpEngine(endpoint, clock);
}

/** Where Docker keeps its images, as far as it can be seen from here: for the room on that disk. */
const DOCKER_DATA = "/var/lib/docker";

function buildDocker(
  input: AssemblyInput,
  engine: HttpEngine,
  identities: Identities,
  fetcher: Fetcher,
): Promise<DockerContainerizer> {
  const { flags, environment, clock, log, ownContainerId, identity } = input;
  const folder = existsSync(DOCKER_DATA) ? DOCKER_DATA : flags.work_dir;
  return DockerContainerizer.open({
    engine,
    workDir: flags.work_dir,
    stateDirectory: join(flags.work_dir, "docker"),
    agent: identity,
    fetch: (spec, signal) => fetchFor(spec, identities, fetcher, signal),
    clock,
    log: log.named("docker.cpp"),
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
    ...(flags.image_gc_config !== undefined && {
      imageCollection: parseImageCollection(flags.image_gc_config, { folder, dryRun: flags.gc_dry_run }),
    }),
    ...(flags.sandbox_log_max_size > 0 && {
      rotation: { maximum: flags.sandbox_log_max_size, keep: flags.sandbox_log_keep },
    }),
  });
}
