export interface InboundLimits {
  /** Bytes of all bodies together that are not handled yet: of messages and of HTTP requests. */
  readonly incomplete: number;
  /** Milliseconds that a body may take from its head on. */
  readonly body: number;
  readonly connections: number;
  /** Connections from one address. */
  readonly connectionsPerAddress: number;
  /** HTTP requests that wait behind another one on their connection, over all connections. */
  readonly waitingRequests: number;
  /** Milliseconds that a request's head may take from its first byte on. (Silence before it is unlimited.) */
  readonly head: number;
}

export const DEFAULT_LIMITS: InboundLimits = {
  incomplete: 64 * 1024 ** 2,
  body: 60_000,
  connections: 16_384,
  connectionsPerAddress: 4_096,
  waitingRequests: 4_096,
  head: 60_000,
};
