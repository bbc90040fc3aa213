import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type ConnectionOptions, checkServerIdentity, createSecureContext } from "node:tls";
import { messageOf, UserError } from "../../base/errors.ts";
import type { TlsSettings } from "../model/settings.ts";

function read(path: string, what: string): Buffer {
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

/** Every certificate of a PEM bundle. Throws a UserError when there is none, or one that cannot be read. */
function certificatesOf(pem: string, path: string): string[] {
  const certificates = pem.match(CERTIFICATE);
  if (certificates === null) {
    throw new UserError(`'${path}' holds no PEM certificate`, "give a file with -----BEGIN CERTIFICATE----- blocks");
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      throw new UserError(`certificate ${index + 1} of '${path}' is damaged`, "put it there again, whole");
    }
  }
  return certificates;
}

function passphraseOf({ passphrase }: TlsSettings): string | undefined {
  if (passphrase === undefined || "text" in passphrase) return passphrase?.text;
  return read(passphrase.file, "passphrase file").toString("utf8").split(/\r?\n/)[0];
}

function keyOf(pem: Buffer, path: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    if (!isEncrypted(pem))
      throw new UserError(`'${path}' holds no private key in PEM`, "give the key of 'ssl certificate' as 'ssl key'");
    if (passphrase === undefined)
      throw new UserError(
        `the client key '${path}' is encrypted and there is no passphrase`,
        "set 'ssl key passphrase' (from a variable) or 'ssl key passphrase file'",
      );
    throw new UserError(
      `the passphrase does not open the client key '${path}'`,
      "correct 'ssl key passphrase' or 'ssl key passphrase file'",
    );
  }
}

const isEncrypted = (pem: Buffer): boolean => /ENCRYPTED/.test(pem.toString("latin1"));

/** Certificate and key that we show. Throws a UserError that says in plain words why they cannot be used. */
function clientMaterial(settings: TlsSettings): Pick<ConnectionOptions, "cert" | "key" | "passphrase"> {
  if (settings.certificate === undefined || settings.key === undefined) return {};
  const cert = read(settings.certificate, "client certificate");
  const [own = ""] = certificatesOf(cert.toString("latin1"), settings.certificate);
  const key = read(settings.key, "client key");
  const passphrase = passphraseOf(settings);
  if (!new X509Certificate(own).checkPrivateKey(keyOf(key, settings.key, passphrase)))
    throw new UserError(
      `the client key '${settings.key}' is not the key of the certificate '${settings.certificate}'`,
      "give the two that were made together, the certificate of the client first in its file",
    );
  return { cert, key, ...(passphrase === undefined ? {} : { passphrase }) };
}

/**
 * The TLS options for one server, with the files as they are now: certificates renewed on disk are used by the next
 * connection. Throws a UserError for a file that cannot be used.
 */
export function tlsOptions(settings: TlsSettings, host: string): ConnectionOptions {
  const { ca } = settings;
  return {
    minVersion: settings.minimumVersion,
    rejectUnauthorized: settings.verification !== "none",
    checkServerIdentity: settings.verification === "full" ? checkServerIdentity : () => undefined,
    // What is trusted is trusted, an intermediate or the server's own certificate too, as Go does.
    allowPartialTrustChain: true,
    // A name of which the end is told by a dot is told without it: Java refuses the handshake otherwise.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host.replace(/\.$/, "") }),
    ...(ca === undefined ? {} : { ca: certificatesOf(read(ca, "CA bundle").toString("latin1"), ca) }),
    ...clientMaterial(settings),
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
