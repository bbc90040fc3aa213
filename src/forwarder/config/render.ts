import { nameOf } from "../model/address.ts";
import type { FileGroup, NetworkSettings, Settings } from "../model/settings.ts";
import { formatGoDuration } from "./go-duration.ts";

const time = formatGoDuration;

function network({ tls, ...settings }: NetworkSettings): object {
  return {
    servers: settings.servers.map(nameOf),
    "load balance": settings.loadBalance,
    "ssl enabled": tls !== undefined,
    ...(tls === undefined
      ? {}
      : {
          "ssl ca": tls.ca,
          "ssl certificate": tls.certificate,
          "ssl key": tls.key,
          // A passphrase that was given as text stays a secret.
          ...(tls.passphrase !== undefined && "file" in tls.passphrase
            ? { "ssl key passphrase file": tls.passphrase.file }
            : {}),
          "ssl verification": tls.verification,
          "ssl minimum version": tls.minimumVersion,
        }),
    timeout: time(settings.timeout),
    "maximum wait": time(settings.maximumWait),
    "connection lifetime": time(settings.connectionLifetime),
    "backoff initial": time(settings.backoff.initial),
    "backoff maximum": time(settings.backoff.maximum),
    "protocol version": settings.version,
  };
}

function file({ multiline, ...group }: FileGroup): object {
  return {
    paths: group.paths,
    exclude: group.exclude,
    fields: group.fields,
    "ignore older": time(group.ignoreOlder),
    "close inactive": time(group.closeInactive),
    encoding: group.encoding,
    "include lines": group.includeLines,
    "exclude lines": group.excludeLines,
    "maximum line": group.maximumLine,
    ...(multiline === undefined
      ? {}
      : {
          multiline: {
            pattern: multiline.pattern,
            negate: multiline.negate,
            match: multiline.match,
            "maximum lines": multiline.maximumLines,
            "maximum time": time(multiline.maximumTime),
          },
        }),
    json: group.json,
  };
}

/**
 * Settings as a configuration that gives them again: every default written out, dollar signs doubled because variables
 * are looked for in it. Flags that have no option (`-tail`) are not in it.
 */
export function configText({ shipping, reading, registry, monitoring, ...settings }: Settings): string {
  const config = {
    network: network(settings.network),
    files: settings.files.map(file),
    shipping: {
      "bulk size": shipping.bulkSize,
      "window size": shipping.windowSize,
      "flush time": time(shipping.flushTime),
      "compression level": shipping.compressionLevel,
      memory: shipping.memory,
      "drain time": time(shipping.drainTime),
    },
    reading: {
      "buffer size": reading.bufferSize,
      "scan interval": time(reading.scanInterval),
      "maximum open files": reading.maximumOpenFiles,
    },
    registry: { path: registry.path, import: registry.importFrom, "forget after": time(registry.forgetAfter) },
    monitoring: { address: monitoring.address, "status file": monitoring.statusFile },
  };
  return `${JSON.stringify(config, null, 2).replaceAll("$", "$$$$")}\n`;
}
