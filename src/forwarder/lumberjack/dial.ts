import { connect as connectTcp, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf } from "../../base/errors.ts";
import type { ServerAddress, TlsSettings } from "../model/settings.ts";
import { tlsOptions } from "./tls-material.ts";

/**
 * Opens a connection; `ready` is called once it can be written, after the TLS handshake if there is one. Errors arrive
 * as the socket's `error`. Throws a UserError when certificate files cannot be used. `lookup` finds the addresses of names.
 */
export function dial(
  { host, port }: ServerAddress,
  tls: TlsSettings | undefined,
  lookup: LookupFunction,
  ready: () => void,
): Socket {
  const address = { host, port, lookup };
  const socket =
    tls === undefined ? connectTcp(address, ready) : connectTls({ ...address, ...tlsOptions(tls, host) }, ready);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

interface NetworkError extends Error {
  readonly code?: string;
  /** What OpenSSL says, without its source files and line ends. */
  readonly reason?: string;
  readonly host?: string;
  readonly hostname?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

const UNTRUSTED = "put the certificate that signed it, or its own, into the file of 'ssl ca'";
export const NOT_TLS = "the server may not speak TLS on this port (see 'ssl enabled')";

/** What the codes of Node and OpenSSL mean, and what can be done. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused; nothing listens there",
  ECONNRESET: "the server broke the connection",
  EHOSTUNREACH: "there is no way to this host; look at the network and its firewalls",
  ENETUNREACH: "there is no way to this network; look at the network and its firewalls",
  ETIMEDOUT: "no answer from this host; look at the network and its firewalls",
  EPIPE: "the server broke the connection",
  DEPTH_ZERO_SELF_SIGNED_CERT: `the server's certificate is self-signed and not trusted; ${UNTRUSTED}`,
  SELF_SIGNED_CERT_IN_CHAIN: `the authority of the server's certificate is not trusted; ${UNTRUSTED}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `the authority of the server's certificate is not known; ${UNTRUSTED}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `the authority of the server's certificate is not known; ${UNTRUSTED}`,
  UNABLE_TO_GET_ISSUER_CERT: `an authority of the server's certificate is not known; ${UNTRUSTED}`,
  CERT_HAS_EXPIRED: "the server's certificate has expired, or its authority's in the file of 'ssl ca'; renew it",
  CERT_NOT_YET_VALID: "the server's certificate is not valid yet; look at both clocks",
};

/** What OpenSSL says of a handshake, by a part of it. */
const HANDSHAKE: readonly (readonly [part: RegExp, words: string])[] = [
  [/wrong version number|packet length too long|http request/, `what answers is not TLS; ${NOT_TLS}`],
  [
    /certificate required|handshake failure/,
    "the server wants another client certificate, or one at all; see 'ssl certificate' and 'ssl key'",
  ],
  [
    /alert (unknown ca|bad certificate|certificate (unknown|expired|revoked)|unsupported certificate)/,
    "the server does not accept our certificate; see 'ssl certificate'",
  ],
  [
    /unsupported protocol|protocol version|no protocols/,
    "the server speaks no TLS version that we speak; see 'ssl minimum version'",
  ],
];

/** Why a connection failed, on one line and in our words, and what a user can do about it where the error says it. */
export function failureOf(error: NetworkError): string {
  const { code = "", message } = error;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return (
      `the server's certificate is for ${error.cert?.subjectaltname ?? "no name at all"}, not for '${error.host ?? ""}'; ` +
      "use one of its names in 'servers', or set 'ssl verification' to 'certificate'"
    );
  if (code === "ENOTFOUND") return `the name '${error.hostname ?? ""}' is not known; correct it in 'servers'`;
  if (code === "EAI_AGAIN")
    return `the name '${error.hostname ?? ""}' cannot be looked up now; is there a name server?`;
  if (code === "ECONNRESET" && message.includes("before secure TLS connection"))
    return `the server broke the connection before TLS was established; ${NOT_TLS}`;
  const words = WORDS[code];
  if (words !== undefined) return words;
  // Node adds what its own command line could do.
  if (code !== "EPROTO" && !code.startsWith("ERR_SSL_"))
    return messageOf(error).replace(/; if the root CA is installed.*$/s, "");
  const reason = error.reason ?? message.trim();
  const known = HANDSHAKE.find(([part]) => part.test(reason) || part.test(message));
  return known === undefined ? `TLS: ${reason}` : known[1];
}
