import type { Logger } from "../../base/log.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

export interface LeadingMasterOptions {
  readonly log: Logger;
  /** The version of a master whose detector tells none; undefined when it does not say. Does not reject. */
  readonly ask: (master: MasterInfo) => Promise<string | undefined>;
}

/**
 * Who leads, as far as it is known. A fixed address tells no version: the master is asked for it, and again whenever another
 * one may answer there.
 */
export class LeadingMaster {
  readonly #options: LeadingMasterOptions;
  #info: MasterInfo | undefined;
  #tellsNoVersion = false;

  constructor(options: LeadingMasterOptions) {
    this.#options = options;
  }

  /** undefined: nobody leads. */
  get info(): MasterInfo | undefined {
    return this.#info;
  }

  detected(master: MasterInfo | undefined): void {
    this.#info = master;
    this.#tellsNoVersion = master?.version === "";
    this.reached();
  }

  /** The connection broke: whoever answers next may be of another release. */
  lost(): void {
    if (this.#info !== undefined && this.#tellsNoVersion) this.#info.version = "";
  }

  /** It can be asked now. */
  reached(): void {
    const master = this.#info;
    if (master?.version !== "") return;
    void this.#options.ask(master).then((version) => {
      if (version === undefined || this.#info !== master || master.version !== "") return;
      master.version = version;
      this.#options.log.info(`The master is Mesos ${version}`);
    });
  }
}
