import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { sameUPID, type UPID } from "../../libprocess/upid.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** The way to the master: who leads, and where messages to it go. Kept up by the registration, read by everybody else. */
export class MasterChannel {
  readonly #process: Process;
  readonly #log: Logger;
  /** Who leads; undefined: nobody, as far as it is known. */
  info: MasterInfo | undefined;
  /** Where it takes messages; undefined when there is nobody to talk to. */
  pid: UPID | undefined;

  constructor(process: Process, log: Logger) {
    this.#process = process;
    this.#log = log;
  }

  /** undefined or empty when nobody knows. */
  get version(): string | undefined {
    return this.info?.version;
  }

  /** Whether a message comes from the current master. */
  isMaster(from: UPID | undefined): boolean {
    return sameUPID(from, this.pid);
  }

  /** Dropped, with a line in the log, when there is no master. */
  send<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
    if (this.pid === undefined) this.#log.warn(`Dropping ${schema.typeName}: there is no master`);
    else this.#process.send(this.pid, schema, message);
  }
}
