import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/**
 * What a web page of somebody else could make its reader's browser do here: ask under a name of its own that leads to this
 * address (DNS rebinding), or send requests across origins.
 */

/** Names that nobody can register for himself on the Internet. */
const PRIVATE = [".localhost", ".local", ".internal", ".home.arpa"];

/**
 * What is wrong with a Host header; undefined: nothing. Addresses, names without a dot and private ones are nobody's; others
 * must be among `own`: names, suffixes that begin with a dot, or `*` for all.
 */
export function hostProblem(host: string | undefined, own: readonly string[]): string | undefined {
  const name = (host ?? "")
    .trim()
    .replace(/:\d*$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
  if (name === "" || isIP(name) !== 0 || !name.includes(".") || PRIVATE.some((end) => name.endsWith(end)))
    return undefined;
  const isOwn = (one: string): boolean => {
    const wanted = one.toLowerCase();
    return wanted === "*" || wanted === name || (wanted.startsWith(".") && name.endsWith(wanted));
  };
  return own.some(isOwn) ? undefined : `'${name}' is not a name of this host`;
}

/** Whether a browser says that another site's page sends the request. Programs say nothing of the kind. */
export function isCrossOrigin({ origin, host, "sec-fetch-site": site }: IncomingHttpHeaders): boolean {
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  if (origin === undefined) return false;
  return URL.parse(origin)?.host !== host?.toLowerCase();
}

/**
 * Whether a GET can come from another site's page without saying so: over plain HTTP a browser tells nothing of where an
 * image comes from. It cannot hide that it is a browser, though.
 */
export function mayBeCrossOrigin(headers: IncomingHttpHeaders): boolean {
  if (headers["sec-fetch-site"] !== undefined || headers.origin !== undefined) return isCrossOrigin(headers);
  return /Mozilla\//.test(headers["user-agent"] ?? "");
}
