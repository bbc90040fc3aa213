import { StatusUpdates } from "../../src/agent/status-updates/streams.ts";
import { silentLogger } from "../../src/base/log.ts";
import type { StatusUpdate } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { MemoryAppends } from "./checkpoint-files.ts";
import { TestClock } from "./test-clock.ts";
import { describeRecords, uuidOf } from "./updates.ts";

/** The update file of the task `task`. */
export const PATH = "/task.updates";

/** Status updates over files in memory and a master that is there: what was sent to it, and what `PATH` holds. */
export function statusUpdates() {
  const clock = new TestClock();
  const files = new MemoryAppends();
  const sent: number[] = [];
  const numberOf = ({ uuid }: StatusUpdate): number => new DataView(uuid.buffer, uuid.byteOffset).getUint32(12);
  const updates = new StatusUpdates({
    clock,
    files,
    log: silentLogger,
    outbox: { forward: (update) => sent.push(numberOf(update)) },
  });
  updates.resume();
  const written = (): string => describeRecords(files.contents.get(PATH));
  return { clock, files, sent, updates, written };
}

/** The scheduler acknowledges the update of that number. */
export const acknowledge = (updates: StatusUpdates, number: number) =>
  updates.acknowledge("framework", "task", uuidOf(number));
