import type { Logger } from "../../base/log.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { MasterChannel } from "../model/master-channel.ts";

export interface LeadingMasterOptions {
  readonly log: Logger;
  readonly master: MasterChannel;
  /** The version of a master whose detector tells none; undefined when it does not say. Does not reject. */
  readonly ask: (master: MasterInfo) => Promise<string | undefined>;
}

/**
 * Who leads, as far as it is known. A fixed address tells no version: the master is asked for it, and again whenever another
 * one may answer there.
 */
export class LeadingMaster {
  readonly #options: LeadingMasterOptions;
  #tellsNoVersion = false;

  constructor(options: LeadingMasterOptions) {
    this.#options = options;
  }

  detected(master: MasterInfo | undefined): void {
    this.#options.master.info = master;
    this.#tellsNoVersion = master?.version === "";
    this.reached();
  }

  /** The connection broke: whoever answers next may be of another release. */
  lost(): void {
    const { info } = this.#options.master;
    if (info !== undefined && this.#tellsNoVersion) info.version = "";
  }

  /** It can be asked now. */
  reached(): void {
    const { info: master } = this.#options.master;
    if (master?.version !== "") return;
    void this.#options.ask(master).then((version) => {
      if (version === undefined || this.#options.master.info !== master || master.version !== "") return;
      master.version = version;
      this.#options.log.info(`The master is Mesos ${version}`);
    });
  }
}
