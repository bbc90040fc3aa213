import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
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

/** What a user can do about a failed connection, where the error says it. */
export function adviceFor(error: Error & { code?: string; cert?: { subjectaltname?: string } }): string {
  switch (error.code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "; put the certificate that signed the server's into the file of 'ssl ca'";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return `; the server's certificate is for ${error.cert?.subjectaltname ?? "no name at all"}: use one of its names in 'servers', or set 'ssl verification' to 'certificate'`;
    case "CERT_HAS_EXPIRED":
      return "; renew the server's certificate";
    case "ECONNREFUSED":
      return "; nothing listens there";
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "; the server may not speak TLS on this port (see 'ssl enabled')";
    default:
      return "";
  }
}
