import { accessSync, constants } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../../base/errors.ts";
import { makeFolder } from "../../base/folders.ts";
import type { NetworkSettings, ServerAddress, Settings, TlsSettings, Verification } from "../model/settings.ts";
import type { Flags } from "./flags.ts";
import type { Config } from "./schema.ts";
import { checkWrittenFiles, throughLinks, type WrittenFile } from "./written-files.ts";

/** Where positions are recorded unless configured. */
const DEFAULT_FOLDER = "/var/lib/logstash-forwarder";
const REGISTRY_NAME = "registry.json";
/** Where the old program recorded them. */
const OLD_REGISTRY = ".logstash-forwarder";

function addressOf(text: string): ServerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  return { host: match?.[1] ?? match?.[2] ?? "", port: Number(match?.[3]) };
}

function writable(folder: string): boolean {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The configured path; else the system's place if it can be written, else the working directory. */
function registryPath(config: Config, flags: Flags, cwd: string): string {
  const given = flags.registry ?? config.registry.path;
  if (given !== undefined) return resolve(cwd, given);
  return writable(DEFAULT_FOLDER) ? join(DEFAULT_FOLDER, REGISTRY_NAME) : resolve(cwd, `${OLD_REGISTRY}.registry.json`);
}

function verificationOf(network: Config["network"]): Verification {
  const strict = network["ssl strict verify"] ?? network["strict verify"];
  return strict === false && network["ssl verification"] === "full" ? "certificate" : network["ssl verification"];
}

/** Certificate and key, which are of use together only. */
function clientFiles(network: Config["network"], warn: (message: string) => void) {
  const { "ssl certificate": certificate, "ssl key": key } = network;
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  if (certificate !== undefined) warn("'ssl certificate' without 'ssl key' is of no use: no certificate is shown");
  if (key !== undefined) warn("'ssl key' without 'ssl certificate' is of no use: no certificate is shown");
  return { certificate: undefined, key: undefined };
}

function passphraseOf(network: Config["network"]): TlsSettings["passphrase"] {
  const { "ssl key passphrase": text, "ssl key passphrase file": file } = network;
  return file !== undefined ? { file } : text !== undefined ? { text } : undefined;
}

function networkOf(network: Config["network"], tap: boolean, warn: (message: string) => void): NetworkSettings {
  const servers = network.servers ?? [];
  if (servers.length === 0 && !tap)
    throw new UserError("no server is configured", 'add "servers": ["host:port"] to the section "network"');
  const version = network["protocol version"];
  return {
    // One that is there twice would be tried twice before it rests; with load balancing that is another connection.
    servers: (network["load balance"] ? servers : [...new Set(servers)]).map(addressOf),
    loadBalance: network["load balance"],
    timeout: network.timeout,
    maximumWait: Math.max(network["maximum wait"], network.timeout),
    connectionLifetime: network["connection lifetime"],
    backoff: { initial: network["backoff initial"], maximum: network["backoff maximum"] },
    tls: network["ssl enabled"]
      ? {
          ...clientFiles(network, warn),
          passphrase: passphraseOf(network),
          ca: network["ssl ca"],
          verification: verificationOf(network),
          minimumVersion: network["ssl minimum version"],
        }
      : undefined,
    version: version === "auto" ? "auto" : version === 1 || version === "1" ? 1 : 2,
  };
}

/** What the program replaces when it writes: nothing else may lie there. */
function checkWritten({ registry, monitoring }: Settings, { config, tap }: Flags, cwd: string): void {
  const registryFile = { what: "the registry", path: registry.path, option: "'registry path' (or -registry)" };
  const statusFile = { what: "the status file", path: monitoring.statusFile, option: "'status file'" };
  const written = [...(tap ? [] : [registryFile]), statusFile];
  checkWrittenFiles(
    written.filter((file): file is WrittenFile => file.path !== undefined),
    new Map(config === undefined ? [] : [[resolve(cwd, config), "the configuration"]]),
  );
}

/** Fills everything in: flags over the file, paths made absolute. Throws a UserError for what cannot work together. */
export function resolveSettings(
  config: Config,
  flags: Flags,
  cwd: string,
  warn: (message: string) => void = () => undefined,
): Settings {
  const settings = settingsOf(config, flags, cwd, warn);
  checkWritten(settings, flags, cwd);
  const { registry, monitoring } = settings;
  return {
    ...settings,
    registry: { ...registry, path: throughLinks(registry.path) },
    monitoring: { ...monitoring, statusFile: monitoring.statusFile && throughLinks(monitoring.statusFile) },
  };
}

function settingsOf(config: Config, flags: Flags, cwd: string, warn: (message: string) => void): Settings {
  const { shipping, reading, registry, monitoring } = config;
  const readers = config.files.filter(({ paths }) => paths.includes("-")).length;
  if (readers > 1)
    warn(
      `${readers} entries of 'files' name standard input ('-'): it goes out with the fields of the first of them only`,
    );
  const bulkSize = Math.min(flags.spoolSize ?? shipping["bulk size"], 10_000);
  return {
    network: networkOf(config.network, flags.tap, warn),
    shipping: {
      bulkSize,
      windowSize: Math.max(shipping["window size"], 1),
      flushTime: flags.idleFlushTime ?? shipping["flush time"],
      compressionLevel: shipping["compression level"],
      memory: shipping.memory,
      drainTime: shipping["drain time"],
    },
    files: config.files.map((file) => ({
      paths: file.paths.map((path) => (path === "-" ? path : resolve(cwd, path))),
      exclude: file.exclude.map((path) => resolve(cwd, path)),
      fields: file.fields,
      encoding: file.encoding,
      includeLines: file["include lines"],
      excludeLines: file["exclude lines"],
      maximumLine: file["maximum line"],
      ignoreOlder: file["ignore older"] ?? file["dead time"],
      closeInactive: file["close inactive"],
      lineEndWait: file["line end wait"] ?? file["close inactive"],
      json: file.json,
      multiline: file.multiline && {
        pattern: file.multiline.pattern,
        negate: file.multiline.negate,
        match: file.multiline.match,
        maximumLines: file.multiline["maximum lines"],
        maximumTime: file.multiline["maximum time"],
      },
    })),
    registry: {
      path: registryPath(config, flags, cwd),
      importFrom: registry.import === undefined ? resolve(cwd, OLD_REGISTRY) : resolve(cwd, registry.import),
      forgetAfter: registry["forget after"],
    },
    monitoring: {
      address: monitoring.address,
      statusFile: monitoring["status file"] === undefined ? undefined : resolve(cwd, monitoring["status file"]),
    },
    reading: {
      bufferSize:
        flags.harvestBufferSize === undefined ? reading["buffer size"] : Math.max(4096, flags.harvestBufferSize),
      scanInterval: reading["scan interval"],
      maximumOpenFiles: reading["maximum open files"],
      tail: flags.tail,
    },
  };
}
