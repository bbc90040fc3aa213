import type { MasterInfo } from "./gen/mesos/v1/mesos_pb.ts";

/** Tells who leads, whatever finds it out: a fixed address, a file, a ZooKeeper group. */
export interface MasterDetector {
  /**
   * Calls `listener` with the leader as soon as it is known, and again whenever another one leads, or none does
   * (undefined). Never calls it twice in a row for the same membership. One listener; called after `watch` returned.
   */
  watch(listener: (master: MasterInfo | undefined) => void): void;
  close(): Promise<void>;
}
