import { type IncomingMessage, request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { EngineEndpoint } from "./endpoint.ts";
import { EngineError } from "./errors.ts";

export interface HijackRequest {
  readonly path: string;
  readonly body: unknown;
  readonly signal: AbortSignal;
}

/** The daemon's answer instead of the connection. */
export class NotHandedOver extends Error {
  readonly response: IncomingMessage;

  constructor(response: IncomingMessage) {
    super(`status ${response.statusCode}`);
    this.name = "NotHandedOver";
    this.response = response;
  }
}

function addressOf(endpoint: EngineEndpoint) {
  if (endpoint.kind === "unix") return { socketPath: endpoint.path, host: "docker" };
  const { host, port, tls } = endpoint;
  if (tls === undefined) return { host, port };
  const { ca, cert, key, verify } = tls;
  return { host, port, rejectUnauthorized: verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
}

/**
 * A connection of its own that the daemon hands over after the request (`Upgrade: tcp`, API 1.20 on): from then on both sides write
 * what they like, and each ends its own direction. Rejects with NotHandedOver when the daemon answers something else.
 */
export function hijack(endpoint: EngineEndpoint, { path, body, signal }: HijackRequest): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const text = body === undefined ? "" : JSON.stringify(body);
  const isSecure = endpoint.kind === "tcp" && endpoint.tls !== undefined;
  const sent = (isSecure ? requestSecure : requestPlain)({
    ...addressOf(endpoint),
    ...{ method: "POST", path, agent: false },
    headers: {
      ...{ connection: "Upgrade", upgrade: "tcp", "content-length": Buffer.byteLength(text) },
      ...(text !== "" && { "content-type": "application/json" }),
    },
  });
  const giveUp = (): void => void sent.destroy(signal.reason instanceof Error ? signal.reason : undefined);
  signal.addEventListener("abort", giveUp, { once: true });
  const settled = (): void => signal.removeEventListener("abort", giveUp);
  sent.on("upgrade", (_response, socket: Socket, head: Buffer) => {
    settled();
    socket.setTimeout(0);
    // It breaks when the daemon goes away: whoever reads it finds out.
    socket.on("error", () => undefined);
    if (head.length > 0) socket.unshift(head);
    resolve(socket);
  });
  sent.on("response", (response) => {
    // Also the reasons that it gives have their time.
    response.once("close", settled);
    reject(new NotHandedOver(response));
  });
  sent.on("error", (error) => {
    settled();
    reject(signal.aborted && signal.reason instanceof EngineError ? signal.reason : error);
  });
  sent.end(text);
  return promise;
}
