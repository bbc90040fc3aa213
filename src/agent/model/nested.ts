import { createHash } from "node:crypto";
import type { ContainerChain } from "../../mesos/container-chain.ts";
import type {
  CommandInfo,
  ContainerInfo,
  ContainerStatus,
  Resource,
  ResourceStatistics,
  Value_Scalar,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "./container.ts";

export { type ContainerChain, chainOf, chainText, containerIdOf } from "../../mesos/container-chain.ts";

/** Characters of a key: it is a folder's name, and a word in the launcher's frames and in process titles. */
const PLAIN = /^(?!h-[0-9a-f]{32}$)[A-Za-z0-9_-]{1,64}$/;
const LONGEST_KEY = 200;

const hashed = (text: string): string => `h-${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;

/**
 * What a container is called on this machine: its chain, joined by dots, which no id contains. Ids that are long or have
 * other characters than letters, digits, `_` and `-`, or look like one, stand there as hashes: at most 200 characters for a chain of any depth.
 */
export function keyOf(chain: ContainerChain): string {
  const words = chain.map((id) => (PLAIN.test(id) ? id : hashed(id)));
  const key = words.join(".");
  return key.length <= LONGEST_KEY ? key : `${words[0]}.${hashed(chain.slice(1).join("\0"))}`;
}

/** A container that somebody asks for by the operator API. */
export interface NestedOrder {
  readonly chain: ContainerChain;
  readonly command: CommandInfo | undefined;
  readonly container: ContainerInfo | undefined;
  readonly resources: readonly Resource[];
  readonly limits: Readonly<Record<string, Value_Scalar>>;
}

/** One container that is no executor's own. */
export interface NestedContainer {
  readonly chain: ContainerChain;
  readonly isStandalone: boolean;
}

/** What is asked of containers once they are there. */
export interface KeptContainers {
  /** How a container ends, or has ended; undefined: nobody knows it. */
  wait(chain: ContainerChain): Promise<ContainerTermination> | undefined;
  /** False: it is unknown, or has ended. */
  kill(chain: ContainerChain, signal: number): Promise<boolean>;
  /** Forgets one that has ended, its sandbox included. Rejects with a UserError when it has not. */
  remove(chain: ContainerChain): Promise<void>;
  /** Those that have not ended, executors' own left out. */
  list(): readonly NestedContainer[];
  usage(chain: ContainerChain): Promise<ResourceStatistics | undefined>;
  /** undefined: it is unknown or has ended. */
  status(chain: ContainerChain): Promise<ContainerStatus | undefined>;
}

/** The containers within executors' containers, and those that stand alone (mesos-wire §7.3). */
export interface NestedContainers extends KeptContainers {
  /**
   * `already`: one by this id is there. Rejects with a TaskFailure or a UserError that says why it cannot be, and with the
   * signal's reason when that comes before it runs.
   */
  launch(order: NestedOrder, signal?: AbortSignal): Promise<"launched" | "already">;
  /** The first process of one that runs; undefined: it is unknown, has none, or has ended. */
  pid(chain: ContainerChain): number | undefined;
  /** Asks it to end with all its processes, and ends it after `grace` milliseconds; unknown ones are ignored. */
  stop(chain: ContainerChain, grace: number): Promise<void>;
}
