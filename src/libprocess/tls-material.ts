import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext, type SecureContextOptions } from "node:tls";
import { type Clock, every, type Timer } from "../base/clock.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { TlsSettings } from "./tls-settings.ts";

/** Milliseconds between looks at the files. */
const LOOK_EVERY = 10_000;

async function read(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const why = codeOf(error) === "ENOENT" ? "does not exist" : `cannot be read: ${messageOf(error)}`;
    throw new UserError(`${what} ${file} ${why}`, `check LIBPROCESS_SSL_${what.toUpperCase()}_FILE`, { cause: error });
  }
}

async function authorities({ caFile, caDir }: TlsSettings): Promise<string[]> {
  const found: string[] = [];
  if (caFile !== undefined) found.push(await read(caFile, "ca"));
  if (caDir !== undefined) {
    const entries = await readdir(caDir, { withFileTypes: true }).catch((error: unknown) => {
      throw new UserError(`the folder ${caDir} cannot be read: ${messageOf(error)}`, "check LIBPROCESS_SSL_CA_DIR");
    });
    for (const entry of entries.filter((each) => !each.isDirectory())) {
      const text = await readFile(join(caDir, entry.name), "utf8").catch(() => "");
      if (text.includes("-----BEGIN CERTIFICATE-----")) found.push(text);
    }
  }
  return found.length > 0 ? found : systemAuthorities();
}

function systemAuthorities(): string[] {
  const system = getCACertificates("system");
  return system.length > 0 ? system : getCACertificates("bundled");
}

/** What a secure context is made of. Throws a UserError that names the file. */
async function load(settings: TlsSettings): Promise<SecureContextOptions> {
  const { keyFile, certFile, ciphers, curves, minVersion, maxVersion } = settings;
  const options: SecureContextOptions = {
    key: await read(keyFile, "key"),
    cert: await read(certFile, "cert"),
    ca: await authorities(settings),
    ecdhCurve: curves,
    minVersion,
    maxVersion,
    ...(ciphers === undefined ? {} : { ciphers }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new UserError(
      `key ${keyFile} and certificate ${certFile} cannot be used: ${messageOf(error)}`,
      "both must be in PEM form, belong together, and LIBPROCESS_SSL_CIPHERS must be a list that OpenSSL knows",
      { cause: error },
    );
  }
  return options;
}

const fingerprint = (options: SecureContextOptions): string =>
  createHash("sha256")
    .update(JSON.stringify([options.key, options.cert, options.ca]))
    .digest("hex");

/** Key, certificate and authorities, read again when the files change. What cannot be used leaves the old ones in use. */
export class TlsMaterial {
  readonly settings: TlsSettings;
  readonly #log: Logger;
  readonly #timer: Timer;
  readonly #listeners: ((options: SecureContextOptions) => void)[] = [];
  #options: SecureContextOptions;
  #context: SecureContext;
  #fingerprint: string;
  #failure = "";

  private constructor(settings: TlsSettings, options: SecureContextOptions, clock: Clock, log: Logger) {
    this.settings = settings;
    this.#options = options;
    this.#context = createSecureContext(options);
    this.#fingerprint = fingerprint(options);
    this.#log = log;
    this.#timer = every(clock, LOOK_EVERY, () => void this.reload());
  }

  static async load(settings: TlsSettings, { clock, log }: { clock: Clock; log: Logger }): Promise<TlsMaterial> {
    return new TlsMaterial(settings, await load(settings), clock, log);
  }

  get context(): SecureContext {
    return this.#context;
  }

  get options(): SecureContextOptions {
    return this.#options;
  }

  /** Calls `listener` with what is new whenever the files have changed. */
  onChange(listener: (options: SecureContextOptions) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads the files; new connections use what is new. Never fails: it is logged, once, and the old ones stay. */
  async reload(): Promise<void> {
    try {
      const options = await load(this.settings);
      const print = fingerprint(options);
      this.#failure = "";
      if (print === this.#fingerprint) return;
      this.#options = options;
      this.#context = createSecureContext(options);
      this.#fingerprint = print;
      for (const listener of this.#listeners) listener(options);
      this.#log.info("TLS key, certificate or authorities have changed; new connections use the new ones");
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.#failure)
        this.#log.error(`TLS files have changed and are of no use, the old ones stay: ${text}`);
      this.#failure = text;
    }
  }

  close(): void {
    this.#timer.cancel();
  }
}
