import type { X509Certificate } from "node:crypto";
import { lookupService } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, createServer, type TLSSocket, connect as tlsConnect } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Dialer, Dialing } from "./channel.ts";
import type { TlsAcceptor } from "./inbound.ts";
import { plainDialer, sourceFor } from "./plain-dialer.ts";
import { identityProblem, trustProblem } from "./tls-identity.ts";
import { TlsMaterial } from "./tls-material.ts";
import type { TlsSettings } from "./tls-settings.ts";

export interface TlsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Local address to dial from; see plainDialer. */
  readonly source?: string;
  /** For tests: the names of an address. Default: the system's resolver. */
  readonly reverse?: (ip: string) => Promise<string[]>;
}

/** The name of an address as Mesos itself finds it: getnameinfo(3), the hosts file included. None: no names. */
async function systemName(ip: string): Promise<string[]> {
  const { hostname } = await lookupService(ip, 0);
  return hostname === ip ? [] : [hostname];
}

/** Milliseconds that a handshake may take on our side of an incoming connection. */
const HANDSHAKE = 60_000;
/** Milliseconds of silence after which a dialled peer is taken for one without TLS, where that is allowed. */
const DOWNGRADE_AFTER = 4_000;

/** Both sides of TLS for a process. Throws a UserError when key and certificate are of no use. */
export async function createTls(
  settings: TlsSettings,
  options: TlsOptions,
): Promise<{ readonly acceptor: TlsAcceptor; readonly dialer: Dialer; readonly material: TlsMaterial }> {
  const material = await TlsMaterial.load(settings, options);
  return { acceptor: new Acceptor(material, options.log), dialer: new TlsDialer(material, options), material };
}

class Acceptor implements TlsAcceptor {
  readonly downgrade: boolean;
  readonly #server;
  readonly #material: TlsMaterial;
  #secured: (socket: Socket, certificate: X509Certificate | undefined) => void = () => undefined;

  constructor(material: TlsMaterial, log: Logger) {
    const { settings } = material;
    this.downgrade = settings.downgrade;
    this.#material = material;
    this.#server = createServer({
      ...material.options,
      allowHalfOpen: true,
      handshakeTimeout: HANDSHAKE,
      requestCert: settings.verify,
      // Checked below, to tell which certificate is refused and why.
      rejectUnauthorized: false,
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => {
      const certificate = socket.getPeerX509Certificate();
      const checks = settings.requireClient || (settings.verify && certificate !== undefined);
      const problem = checks ? trustProblem(socket, certificate, settings.depth) : undefined;
      // One that nobody looks at proves nothing.
      if (problem === undefined) this.#secured(socket, settings.verify ? certificate : undefined);
      else {
        log.warn(`Refused a TLS connection from ${socket.remoteAddress}: ${problem}`);
        socket.destroy();
      }
    });
    this.#server.on("tlsClientError", (error, socket) => {
      log.warn(`TLS handshake with ${socket.remoteAddress ?? "a peer"} failed: ${messageOf(error)}`);
      socket.destroy();
    });
    material.onChange((changed) => this.#server.setSecureContext(changed));
  }

  start(secured: (socket: Socket, certificate: X509Certificate | undefined) => void): void {
    this.#secured = secured;
  }

  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  close(): void {
    this.#material.close();
  }
}

class TlsDialer implements Dialer {
  readonly #material: TlsMaterial;
  readonly #options: TlsOptions;
  readonly #plain: Dialer;

  constructor(material: TlsMaterial, options: TlsOptions) {
    this.#material = material;
    this.#options = options;
    this.#plain = plainDialer(options.source);
  }

  dial(peer: { ip: string; port: number }, ready: (socket: Socket) => void, failed: (error: Error) => void): Dialing {
    const { settings, context } = this.#material;
    const { clock, log, source } = this.#options;
    const options: ConnectionOptions & { family: number } = {
      host: peer.ip,
      port: peer.port,
      family: 4,
      secureContext: context,
      // Both are checked below, to tell what is wrong.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(isIP(peer.ip) === 0 ? { servername: peer.ip } : {}),
      ...sourceFor(peer.ip, source),
    };
    const socket = tlsConnect(options);
    let current: Dialing | undefined;
    let over = false;
    let reached = false;
    const end = (): boolean => {
      if (over) return false;
      over = true;
      silence?.cancel();
      return true;
    };
    const give = (why: string, mayBePlain: boolean): void => {
      if (!end()) return;
      socket.destroy();
      if (mayBePlain && reached && settings.downgrade) {
        log.verbose(1, `${peer.ip}:${peer.port} does not speak TLS (${why}); going on without`);
        current = this.#plain.dial(peer, ready, failed);
      } else failed(new Error(why));
    };
    const silence = settings.downgrade
      ? clock.after(DOWNGRADE_AFTER, () => give("no answer to the handshake", true))
      : undefined;
    socket.once("connect", () => {
      reached = true;
    });
    socket.on("error", (error) => give(reached ? `TLS handshake: ${error.message}` : error.message, true));
    socket.once("close", () => give("the connection was closed during the TLS handshake", true));
    socket.once("secureConnect", () => {
      silence?.cancel();
      this.#verify(socket, peer.ip).then(
        (problem) => {
          // A certificate that is wrong must never end in talking without any.
          if (problem !== undefined) give(`TLS: ${peer.ip}:${peer.port}: ${problem}`, false);
          else if (end()) {
            socket.removeAllListeners("error");
            socket.removeAllListeners("close");
            ready(socket);
          }
        },
        (error: unknown) => give(messageOf(error), false),
      );
    });
    return {
      abandon() {
        current?.abandon();
        if (end()) socket.destroy();
      },
    };
  }

  async #verify(socket: TLSSocket, host: string): Promise<string | undefined> {
    const { settings } = this.#material;
    if (!settings.verify) return undefined;
    const certificate = socket.getPeerX509Certificate();
    const untrusted = trustProblem(socket, certificate, settings.depth);
    if (untrusted !== undefined || certificate === undefined) return untrusted;
    const ip = socket.remoteAddress ?? host;
    const lookup = this.#options.reverse ?? systemName;
    const names = settings.scheme === "legacy" ? await lookup(ip).catch(() => []) : [];
    return identityProblem(certificate, { host, ip, reverse: names }, settings);
  }
}
