import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf } from "../../base/errors.ts";
import type { ServerAddress, TlsSettings } from "../model/settings.ts";
import { tlsOptions } from "./tls-material.ts";

export const nameOf = ({ host, port }: ServerAddress): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Opens a connection; `ready` is called once it can be written, after the TLS handshake if there is one. Errors arrive
 * as the socket's `error`. Throws a UserError when certificate files cannot be used.
 */
export function dial(server: ServerAddress, tls: TlsSettings | undefined, ready: () => void): Socket {
  const address = { host: server.host, port: server.port };
  const socket =
    tls === undefined ? connectTcp(address, ready) : connectTls({ ...address, ...tlsOptions(tls, server.host) }, ready);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

interface NetworkError extends Error {
  readonly code?: string;
  /** What OpenSSL says, without its source files and line ends. */
  readonly reason?: string;
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/** Why a connection failed, on one line, and what a user can do about it where the error says it. */
export function failureOf(error: NetworkError): string {
  switch (error.code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return `${error.message}; put the certificate that signed the server's into the file of 'ssl ca'`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return (
        `the server's certificate is for ${error.cert?.subjectaltname ?? "no name at all"}, not for '${error.host ?? ""}'; ` +
        "use one of its names in 'servers', or set 'ssl verification' to 'certificate'"
      );
    case "CERT_HAS_EXPIRED":
      return `${error.message}; renew the server's certificate`;
    case "ECONNREFUSED":
      return `${messageOf(error)}; nothing listens there`;
    default:
      if (error.code !== "EPROTO" && !error.code?.startsWith("ERR_SSL_")) return messageOf(error);
      return error.code === "ERR_SSL_WRONG_VERSION_NUMBER" || error.reason === "wrong version number"
        ? "what answers is not TLS; the server may not speak TLS on this port (see 'ssl enabled')"
        : `TLS: ${error.reason ?? error.message.trim()}`;
  }
}
