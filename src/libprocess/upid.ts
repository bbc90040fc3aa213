/** The name of a libprocess process: `id@ip:port`. */
export interface UPID {
  /** `master`, `slave(1)`; never empty. */
  readonly id: string;
  /** IPv4 address as a dotted quad, or a host name when the text had one. */
  readonly ip: string;
  /** 1 … 65535. */
  readonly port: number;
}

/** How real masters spell "no pid" (the scheduler speaks HTTP). It must never be dialled. */
export const NO_PID = "@0.0.0.0:0";

const LONGEST_TEXT = 4096;

/**
 * Reads `id@host:port`, split at the first `@` as libprocess does. Undefined for "no pid" in all its spellings: absent,
 * empty, `@0.0.0.0:0`, and whatever cannot be read.
 */
export function parseUPID(text: string | undefined): UPID | undefined {
  if (text === undefined || text.length > LONGEST_TEXT) return undefined;
  const at = text.indexOf("@");
  const colon = text.indexOf(":", at);
  if (at < 1 || colon < at + 2) return undefined;
  const [id, ip, digits] = [text.slice(0, at), text.slice(at + 1, colon), text.slice(colon + 1)];
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535 || !/^[A-Za-z0-9._-]+$/.test(ip) || ip === "0.0.0.0") return undefined;
  // A control character or blank in an id could break the framing of what is sent back to it.
  if (!/^[\x21-\x7e]+$/.test(id)) return undefined;
  return { id, ip, port };
}

/** `id@ip:port`; `@0.0.0.0:0` for undefined. */
export function formatUPID(upid: UPID | undefined): string {
  return upid === undefined ? NO_PID : `${upid.id}@${upid.ip}:${upid.port}`;
}

/** `ip:port`: what a socket is opened to; processes of one peer share it. */
export function addressOf(upid: UPID): string {
  return `${upid.ip}:${upid.port}`;
}

/** Whether both name the same process. No pid equals nothing, not even itself. */
export function sameUPID(a: UPID | undefined, b: UPID | undefined): boolean {
  return a !== undefined && b !== undefined && a.id === b.id && a.ip === b.ip && a.port === b.port;
}
