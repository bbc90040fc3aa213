import { mkdirSync } from "node:fs";
import { chown } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { linkAtomic } from "../base/durable.ts";
import type { Logger } from "../base/log.ts";
import { MesosContainerizer } from "./containerizer/mesos/containerizer.ts";
import { Identities } from "./containerizer/mesos/identity.ts";
import type { AgentFlags } from "./flags/table.ts";
import { noIsolation } from "./isolators/none.ts";
import type { Containerizer } from "./model/container.ts";

export interface AssemblyInput {
  readonly flags: AgentFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly architecture: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Assembly {
  readonly containerizers: readonly Containerizer[];
  readonly createSandbox: (directory: string, user: string | undefined) => Promise<void>;
}

/** Builds the rooms that stand on the machine: containerizers, sandboxes. */
export function assemble(input: AssemblyInput): Assembly {
  const identities = new Identities(input.clock);
  return {
    containerizers: buildContainerizers(input, identities),
    createSandbox: async (directory, user) => {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
      if (user !== undefined) {
        const { uid, gid } = await identities.of(user);
        await chown(directory, uid, gid);
      }
      await linkAtomic(join(dirname(directory), "latest"), join(dirname(directory), basename(directory)));
    },
  };
}

/** The containerizers of `--containerizers`, in its order: the first that takes a container runs it. */
function buildContainerizers(input: AssemblyInput, identities: Identities): Containerizer[] {
  const { flags, environment, clock, log, architecture } = input;
  const byName: Record<string, () => Containerizer> = {
    mesos: () =>
      new MesosContainerizer({
        clock,
        log: log.named("containerizer.cpp"),
        runtimeDir: flags.runtime_dir,
        owner: flags.work_dir,
        volumesRoot: join(flags.work_dir, "volumes"),
        architecture,
        path: environment["PATH"],
        fetch: async () => undefined,
        isolation: noIsolation,
        identities,
      }),
  };
  return flags.containerizers.flatMap((name) => {
    const build = byName[name];
    return build === undefined ? [] : [build()];
  });
}
