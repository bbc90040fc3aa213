import type { IncomingHttpHeaders } from "node:http";
import { isIPv4 } from "node:net";
import { formatUPID, parseUPID, type UPID } from "./upid.ts";

const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n", "latin1");

/**
 * A message as real senders of every era write it: raw parentheses in the path, an empty Host, one chunk plus the
 * closing one, and no length header at all for an empty body. Throws when `to.id` or `name` would break the framing.
 */
export function encodeMessage(to: UPID, from: UPID, name: string, body: Uint8Array): Buffer {
  const path = `/${to.id}/${name}`;
  if (!/^[\x21-\x7e]+$/.test(path)) throw new Error(`message '${name}' to '${to.id}' cannot be put in a request line`);
  const sender = formatUPID(from);
  const head =
    `POST ${path} HTTP/1.1\r\n` +
    `User-Agent: libprocess/${sender}\r\n` +
    `Libprocess-From: ${sender}\r\n` +
    "Connection: Keep-Alive\r\n" +
    "Host: \r\n";
  if (body.length === 0) return Buffer.from(`${head}\r\n`, "latin1");
  const start = Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, "latin1");
  return Buffer.concat([start, body, LAST_CHUNK]);
}

/** What a received request is. `refused` is a message that cannot be addressed; `status` is what 1.11.0 answers. */
export type Recognised =
  | { readonly kind: "http" }
  | { readonly kind: "message"; readonly from: UPID | undefined; readonly to: string; readonly name: string }
  | { readonly kind: "refused"; readonly status: 400 | 500; readonly why: string };

const AGENT_PREFIX = "libprocess/";

/**
 * The sender that a header names. Every real one writes an address: a name would have to be looked up to be answered, and
 * some hundred of them would keep the resolver from everything else. Such a sender reads as none.
 */
function senderOf(header: string): UPID | undefined {
  const upid = parseUPID(header.trim());
  return upid !== undefined && isIPv4(upid.ip) ? upid : undefined;
}

/**
 * Tells messages from ordinary HTTP: a POST whose User-Agent starts with `libprocess/`, or that has a Libprocess-From.
 * The message's name is not percent-decoded, the target's id is; the sender may be unreadable (then undefined).
 */
export function recognise(method: string | undefined, url: string, headers: IncomingHttpHeaders): Recognised {
  const userAgent = headers["user-agent"] ?? "";
  const header = headers["libprocess-from"];
  if (method !== "POST" || (header === undefined && !userAgent.startsWith(AGENT_PREFIX))) return { kind: "http" };
  const sender = header === undefined ? userAgent.slice(AGENT_PREFIX.length) : String(header);
  const path = url.split("?", 1)[0] ?? "";
  if (!path.startsWith("/")) return { kind: "refused", status: 400, why: "the path does not start with '/'" };
  const slash = path.indexOf("/", 1);
  const segment = slash === -1 ? path.slice(1) : path.slice(1, slash);
  try {
    const to = decodeURIComponent(segment);
    return { kind: "message", from: senderOf(sender), to, name: slash === -1 ? "" : path.slice(slash + 1) };
  } catch {
    return { kind: "refused", status: 500, why: `'${segment.slice(0, 100)}' is not valid percent-encoding` };
  }
}
