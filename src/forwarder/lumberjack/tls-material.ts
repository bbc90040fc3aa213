import { readFileSync } from "node:fs";
import { type ConnectionOptions, checkServerIdentity, createSecureContext } from "node:tls";
import { messageOf, UserError } from "../../base/errors.ts";
import type { TlsSettings } from "../model/settings.ts";

function read(path: string | undefined, what: string): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(
      `cannot read the ${what} '${path}': ${messageOf(error)}`,
      `make '${path}' readable for the user that runs logstash-forwarder, or correct the path`,
    );
  }
}

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]+?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** Every certificate of a PEM bundle. Throws a UserError when there is none. */
export function certificatesOf(pem: string, path: string): string[] {
  const certificates = pem.match(CERTIFICATE);
  if (certificates === null) {
    throw new UserError(`'${path}' holds no PEM certificate`, "give a file with -----BEGIN CERTIFICATE----- blocks");
  }
  return certificates;
}

/**
 * The TLS options for one server, with the files as they are now: certificates renewed on disk are used by the next
 * connection. Throws a UserError for an unreadable file.
 */
export function tlsOptions(settings: TlsSettings, host: string): ConnectionOptions {
  const ca = read(settings.ca, "CA bundle");
  const certificate = read(settings.certificate, "client certificate");
  const key = read(settings.key, "client key");
  return {
    minVersion: settings.minimumVersion,
    rejectUnauthorized: settings.verification !== "none",
    checkServerIdentity: settings.verification === "full" ? checkServerIdentity : () => undefined,
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    ...(ca === undefined ? {} : { ca: certificatesOf(ca.toString("latin1"), settings.ca ?? "") }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}

/** What is wrong with the certificate files as they are now, undefined when they can be used. */
export function complaintAbout(settings: TlsSettings): string | undefined {
  try {
    createSecureContext(tlsOptions(settings, ""));
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return messageOf(error);
    const files = [settings.ca, settings.certificate, settings.key].filter((path) => path !== undefined);
    return `the certificate files cannot be used (${messageOf(error).trim()}): ${files.join(", ")}`;
  }
}
