import { connect } from "node:net";
import type { Dialer } from "./channel.ts";

/**
 * Plain TCP over IPv4. `source` is the local address to dial from: with LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH a peer
 * insists that it is the advertised one.
 */
export function plainDialer(source?: string): Dialer {
  return {
    dial(peer, ready, failed) {
      const socket = connect({ host: peer.ip, port: peer.port, family: 4, ...sourceFor(peer.ip, source) });
      const onError = (error: Error): void => {
        socket.destroy();
        failed(error);
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        socket.off("error", onError);
        ready(socket);
      });
      return {
        abandon() {
          socket.off("error", onError);
          socket.on("error", () => undefined);
          if (socket.connecting) socket.destroy();
        },
      };
    },
  };
}

/** The local address to dial `peer` from: none when any will do, or when the kernel must choose (loopback). */
export function sourceFor(peer: string, source: string | undefined): { localAddress?: string } {
  if (source === undefined || source === "0.0.0.0" || source.startsWith("127.") || peer.startsWith("127.")) return {};
  return { localAddress: source };
}
