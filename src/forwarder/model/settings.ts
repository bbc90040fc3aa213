/** Versions of Lumberjack. */
export type Version = 1 | 2;

/** The resolved configuration: every default filled in, times in milliseconds, sizes in bytes. */
export interface Settings {
  readonly network: NetworkSettings;
  readonly shipping: ShippingSettings;
  readonly files: readonly FileGroup[];
  readonly registry: RegistrySettings;
  readonly monitoring: { readonly address: string | undefined; readonly statusFile: string | undefined };
  readonly reading: ReadingSettings;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export type Verification = "full" | "certificate" | "none";

export interface NetworkSettings {
  readonly servers: readonly ServerAddress[];
  readonly loadBalance: boolean;
  /** Without a sign of life for this long, a server is given up. */
  readonly timeout: number;
  /** Waiting for the acknowledgement of one window, keepalives or not. */
  readonly maximumWait: number;
  /** A connection is ended and made anew after this long; 0: never. */
  readonly connectionLifetime: number;
  readonly backoff: { readonly initial: number; readonly maximum: number };
  readonly tls: TlsSettings | undefined;
  readonly version: Version | "auto";
}

export interface TlsSettings {
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  /** For a key that is encrypted: the text itself, or the file whose first line it is. */
  readonly passphrase: { readonly text: string } | { readonly file: string } | undefined;
  readonly ca: string | undefined;
  readonly verification: Verification;
  readonly minimumVersion: "TLSv1.2" | "TLSv1.3";
}

interface ShippingSettings {
  /** Events in one Lumberjack window, at most. */
  readonly bulkSize: number;
  /** Events sent and not yet acknowledged and recorded, at most: what a crash may send twice. */
  readonly windowSize: number;
  /** An incomplete bulk is sent this long after its first event. */
  readonly flushTime: number;
  readonly compressionLevel: number;
  readonly memory: number;
  /** A stop waits this long for acknowledgements. */
  readonly drainTime: number;
}

export interface ReadingSettings {
  readonly bufferSize: number;
  readonly scanInterval: number;
  /** Undefined: what the process may open, less what it needs itself. */
  readonly maximumOpenFiles: number | undefined;
  /** Files without a recorded position begin at their end. */
  readonly tail: boolean;
}

export interface RegistrySettings {
  readonly path: string;
  /** A registry of the old program, taken over when ours does not exist. */
  readonly importFrom: string | undefined;
  /** Entries whose file is gone are forgotten after this long. */
  readonly forgetAfter: number;
}

export type Encoding = "utf-8" | "latin1" | "utf-16le" | "utf-16be";

export interface MultilineSettings {
  readonly pattern: string;
  readonly negate: boolean;
  /** `after`: matching lines belong to the line before them; `before`: to the one after. */
  readonly match: "after" | "before";
  readonly maximumLines: number;
  readonly maximumTime: number;
}

export interface FileGroup {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
  readonly encoding: Encoding;
  readonly includeLines: readonly string[];
  readonly excludeLines: readonly string[];
  readonly maximumLine: number;
  readonly ignoreOlder: number;
  readonly closeInactive: number;
  /** A last line without an end is shipped after the file was quiet for this long, in milliseconds. */
  readonly lineEndWait: number;
  readonly multiline: MultilineSettings | undefined;
  /** Lines are JSON objects whose keys join the event. */
  readonly json: boolean;
}
