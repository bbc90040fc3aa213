import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ContainerizerContext, OpenedContainerizer } from "./containerizer/context.ts";
import { containerizers } from "./containerizer/table.ts";
import { Fetcher } from "./fetcher/fetcher.ts";
import { type AgentFlags, agentFlags } from "./flags/table.ts";
import type { Containerizer } from "./model/container.ts";
import type { GarbageCollection } from "./model/garbage-collection.ts";
import type { Identity } from "./model/identity.ts";
import type { UriFetcher } from "./model/uri-fetcher.ts";
import { createSandbox } from "./sandbox/sandbox.ts";
import type { Sandboxes } from "./tasks/stages/sandbox.ts";
import { Accounts } from "./users/accounts.ts";

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
  readonly isRoot: boolean;
  readonly gc: GarbageCollection;
}

/** What stands on the machine: containers, sandboxes, downloads. */
export interface Assembly {
  readonly containerizers: readonly Containerizer[];
  /** Figures that the rooms keep themselves, by the names of the metrics. */
  readonly figures: () => Iterable<readonly [string, number]>;
  readonly sandboxes: Sandboxes;
  readonly fetcher: UriFetcher;
}

/** Throws a UserError for settings that cannot be met (unknown isolators, an address of Docker that is none). */
export async function assemble(input: AssemblyInput): Promise<Assembly> {
  const { clock } = input;
  const accounts = new Accounts(clock);
  const downloads = buildFetcher(input);
  const fetcher: UriFetcher = {
    fetch: async ({ user: name, ...request }) => {
      const user = name === undefined ? undefined : { name, ...(await accounts.of(name)) };
      await downloads.fetch({ ...request, user });
    },
  };
  const opened = await openAll({ ...input, accounts, fetcher });
  return {
    containerizers: opened.map(({ containerizer }) => containerizer),
    figures: function* () {
      for (const [name, value] of Object.entries(downloads.figures)) yield [`containerizer/fetcher/${name}`, value];
      for (const { figures } of opened) if (figures !== undefined) yield* figures();
    },
    sandboxes: {
      create: (directory, user) => {
        if (user === undefined) return createSandbox(directory, undefined);
        return accounts.of(user).then((owner) => createSandbox(directory, owner));
      },
    },
    fetcher,
  };
}

/** In the order in which they are asked whether a container is theirs. */
async function openAll(context: ContainerizerContext): Promise<OpenedContainerizer[]> {
  const opened: OpenedContainerizer[] = [];
  for (const name of context.flags.containerizers) {
    const open = Object.hasOwn(containerizers, name) ? containerizers[name] : undefined;
    if (open === undefined) throw new UserError(`--containerizers names '${name}', which does not exist`);
    opened.push(await open(context));
  }
  return opened;
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
