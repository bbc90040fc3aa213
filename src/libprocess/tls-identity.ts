import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { TlsSettings } from "./tls-settings.ts";

/** The names that a certificate stands for: `DNS:a.example, IP Address:10.0.0.1, CN=a.example`. */
export function namesOf(certificate: X509Certificate): string {
  const common = certificate.subject?.split("\n").filter((line) => line.startsWith("CN=")) ?? [];
  const names = [...(certificate.subjectAltName === undefined ? [] : [certificate.subjectAltName]), ...common];
  return names.length === 0 ? "no name at all" : names.join(", ");
}

/** Whether a certificate is for this name or address: subjectAltName first, the common name when it has none. */
export function isFor(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}

export interface Dialled {
  /** What the UPID says: a name or an address. */
  readonly host: string;
  /** The address that the connection has. */
  readonly ip: string;
  /** Names that the address resolves back to; for the legacy scheme. */
  readonly reverse: readonly string[];
}

/** The names one of which a server's certificate must be for. */
function expectedNames({ host, ip, reverse }: Dialled, settings: Pick<TlsSettings, "scheme" | "verifyIp">): string[] {
  if (settings.scheme === "openssl") return [host];
  return [...reverse, ...(settings.verifyIp ? [ip] : [])];
}

/** What is wrong with a server's certificate as to its names; undefined when it is for one of them. */
export function identityProblem(
  certificate: X509Certificate,
  dialled: Dialled,
  settings: Pick<TlsSettings, "scheme" | "verifyIp">,
): string | undefined {
  const expected = expectedNames(dialled, settings);
  if (expected.some((name) => isFor(certificate, name))) return undefined;
  const has = `its certificate is for ${namesOf(certificate)}`;
  if (settings.scheme === "openssl") return `${dialled.host} was dialled, but ${has}`;
  const fix = settings.verifyIp
    ? "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=openssl compares with the name that is dialled"
    : "LIBPROCESS_SSL_VERIFY_IPADD=true takes the address too, " +
      "LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=openssl the name that is dialled";
  if (dialled.reverse.length === 0) return `${dialled.ip} does not resolve back to a name, and ${has}; ${fix}`;
  return `${dialled.ip} resolves back to ${dialled.reverse.join(", ")}, but ${has}; ${fix}`;
}

/** What is wrong with the chain of a peer's certificate (undefined: it showed none); undefined when it is trusted. */
export function trustProblem(
  socket: Pick<TLSSocket, "authorized" | "authorizationError">,
  certificate: X509Certificate | undefined,
  depth: number,
): string | undefined {
  if (certificate === undefined) return "it shows no certificate";
  if (!socket.authorized) {
    const why = String(socket.authorizationError);
    const issuer = certificate.issuer?.split("\n").join(", ") ?? "nobody";
    return `its certificate (${namesOf(certificate)}, issued by ${issuer}) is not trusted: ${why}`;
  }
  const between = intermediates(certificate);
  return between > depth ? `its certificate has ${between} intermediate ones; ${depth} are allowed` : undefined;
}

/** Certificates between the peer's own and the root. */
function intermediates(certificate: X509Certificate): number {
  let count = 0;
  let next = certificate.issuerCertificate;
  for (; next !== undefined && next.subject !== next.issuer && count < 100; count++) next = next.issuerCertificate;
  return count;
}
