import { MOST_OBJECTS } from "../mesos/cost.ts";
import type { Peer } from "./connection.ts";
import type { UPID } from "./upid.ts";

/** How messages of one name are taken in. */
export interface Reception {
  /** Bytes of one message. */
  readonly limit: number;
  /** Objects that one may become when it is decoded (see mesos/cost.ts). */
  readonly objects: number;
  /**
   * Why this sender is not heard; undefined: it is. Asked when the head of a message is there, before its body is read, and
   * again before it is decoded. Without this function everybody is heard.
   */
  readonly objection?: (from: UPID | undefined, peer: Peer) => string | undefined;
}

/** What is taken in of a message by its name; undefined: it is of no use to anybody here. */
export type Receptions = (name: string) => Reception | undefined;

const MIB = 1024 ** 2;

/** For processes that do not say otherwise: everything, from everybody, within bounds. */
export const openReception: Receptions = () => ({ limit: 16 * MIB, objects: MOST_OBJECTS });
