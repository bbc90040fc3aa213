import { readFileSync } from "node:fs";
import type { Logger } from "../../base/log.ts";
import { type Credential, parseCredential } from "../../mesos/credential.ts";
import { warnIfReadable } from "./secret-file.ts";

/** What --credential's file said when it was last read. Each attempt to authenticate takes what is known then. */
export class CredentialFile implements Credential {
  readonly path: string;
  readonly #log: Logger;
  #known: Credential;

  /** Throws a UserError that names the file and the fix, or what the system says of a file that cannot be read. */
  constructor(path: string, log: Logger) {
    this.path = path;
    this.#log = log;
    this.#known = this.#read();
  }

  get principal(): string {
    return this.#known.principal;
  }

  get secret(): string {
    return this.#known.secret;
  }

  /** Reads it again. Throws as the constructor does, and then keeps what it had. */
  reload(): void {
    this.#known = this.#read();
  }

  #read(): Credential {
    warnIfReadable(this.path, this.#log);
    return parseCredential(readFileSync(this.path, "utf8"), this.path);
  }
}
