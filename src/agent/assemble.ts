import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { credentialHelper } from "../docker/credential-helper.ts";
import { engineEndpoint } from "../docker/endpoint.ts";
import { HttpEngine } from "../docker/http-engine.ts";
import { DockerContainerizer } from "./containerizer/docker/containerizer.ts";
import { parseContainerDns } from "./containerizer/docker/networks.ts";
import { MesosContainerizer } from "./containerizer/mesos/containerizer.ts";
import { Identities } from "./containerizer/mesos/identity.ts";
import { Fetcher } from "./fetcher/fetcher.ts";
import type { AgentFlags } from "./flags/table.ts";
import { createIsolation } from "./isolators/isolation.ts";
import type { Containerizer, ContainerSpec } from "./model/container.ts";
import { createSandbox } from "./sandbox/sandbox.ts";

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
  /** The agent's id now; empty before it has one. */
  readonly agentId: () => string;
  /** The container that the agent itself runs in. */
  readonly ownContainerId: string | undefined;
}

/** What stands on the machine: containers, sandboxes, downloads. */
export interface Assembly {
  readonly containerizers: readonly Containerizer[];
  readonly fetcher: Fetcher;
  readonly createSandbox: (directory: string, user: string | undefined) => void | Promise<void>;
}

/** Throws a UserError for settings that cannot be met (unknown isolators, an address of Docker that is none). */
export async function assemble(input: AssemblyInput): Promise<Assembly> {
  const identities = new Identities(input.clock);
  const fetcher = buildFetcher(input);
  const build: Readonly<Record<string, () => Containerizer | Promise<Containerizer>>> = {
    mesos: () => buildMesos(input, identities, fetcher),
    docker: () => buildDocker(input, identities, fetcher),
  };
  return {
    containerizers: await Promise.all(input.flags.containerizers.flatMap((name) => build[name]?.() ?? [])),
    fetcher,
    createSandbox: (directory, user) => {
      if (user === undefined) return createSandbox(directory, undefined);
      return identities.of(user).then((owner) => createSandbox(directory, owner));
    },
  };
}

function buildFetcher({ flags, environment, clock, pid }: AssemblyInput): Fetcher {
  const names = ["PATH", "HOME", "HADOOP_HOME", "JAVA_HOME", "http_proxy", "https_proxy", "no_proxy"];
  return new Fetcher({
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

function buildMesos(input: AssemblyInput, identities: Identities, fetcher: Fetcher): Containerizer {
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
    isolation: createIsolation({
      names: flags.isolation,
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

function buildDocker(input: AssemblyInput, identities: Identities, fetcher: Fetcher): Promise<Containerizer> {
  const { flags, environment, clock, log, ownContainerId, agentId } = input;
  const endpoint = engineEndpoint({
    socket: flags.docker_socket,
    dockerHost: environment["DOCKER_HOST"],
    certPath: environment["DOCKER_CERT_PATH"],
    tlsVerify: Boolean(environment["DOCKER_TLS_VERIFY"]),
    tls: Boolean(environment["DOCKER_TLS"]),
  });
  return DockerContainerizer.open({
    engine: new HttpEngine(endpoint, clock),
    workDir: flags.work_dir,
    stateDirectory: join(flags.work_dir, "docker"),
    agentId,
    fetch: (spec, signal) => fetchFor(spec, identities, fetcher, signal),
    clock,
    log: log.named("docker.cpp"),
    sandboxDirectory: flags.sandbox_directory,
    cfs: flags.cgroups_enable_cfs,
    ...(flags.default_container_dns !== undefined && { dns: parseContainerDns(flags.default_container_dns) }),
    killOrphans: flags.docker_kill_orphans,
    removeDelay: flags.docker_remove_delay,
    dockerConfig: flags.docker_config === undefined ? undefined : JSON.stringify(flags.docker_config),
    home: environment["HOME"],
    askHelper: credentialHelper(environment),
    ownContainerId,
  });
}

/** The id of the Docker container that this process runs in, as the kernel shows it; undefined outside of one. */
export function ownContainer(readText: (path: string) => string | undefined): string | undefined {
  const id = /(?:docker[-/]|\/containers\/)([0-9a-f]{64})/;
  return id.exec(readText("/proc/self/cgroup") ?? "")?.[1] ?? id.exec(readText("/proc/self/mountinfo") ?? "")?.[1];
}
