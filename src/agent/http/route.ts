import { type Endpoint, type EndpointPath, endpoints } from "./endpoints.ts";

/** Mesos' words for what is not there. */
export const NOT_FOUND = "404 Not Found.";

const DELEGATE = "slave(1)";
/** First segments that are processes of their own; everything else goes to the delegate. */
const processes = new Set<string>([...endpoints.map(({ process }) => process), "memory-profiler"]);

export interface Located {
  readonly endpoint: Endpoint & { readonly path: EndpointPath };
  /** The full path that was asked for, as libprocess sees it after delegation. */
  readonly path: string;
  /** What follows the endpoint's own path: empty, or beginning with `/`. */
  readonly rest: string;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/**
 * The path as libprocess sees it: percent-decoded, no `/` at the end, several as one, what no process has given to
 * `slave(1)`. undefined for a path that is refused (`/..`, not beginning with `/`, broken encoding, an encoded `/`).
 */
export function fullPath(pathname: string): string | undefined {
  if (!pathname.startsWith("/") || pathname.includes("/..") || pathname.length > 8192) return undefined;
  const segments: string[] = [];
  for (const written of pathname.split("/")) {
    if (written === "") continue;
    const segment = decodeSegment(written);
    if (segment === undefined || segment === ".." || segment.includes("/")) return undefined;
    segments.push(segment);
  }
  const isProcess = segments[0] !== undefined && processes.has(segments[0]);
  return `/${(isProcess ? segments : [DELEGATE, ...segments]).join("/")}`;
}

const exact = new Map<string, Endpoint>(
  endpoints.flatMap((endpoint: Endpoint) =>
    [endpoint.path, ...endpoint.aliases].map((path) => [path, endpoint] as const),
  ),
);
const prefixes = [...exact].filter(([, endpoint]) => endpoint.below);

/** The endpoint of a request's path (without query), or undefined: 404. */
export function locate(pathname: string): Located | undefined {
  const path = fullPath(pathname);
  if (path === undefined) return undefined;
  const found = exact.get(path);
  if (found !== undefined) return { endpoint: found as Located["endpoint"], path, rest: "" };
  for (const [prefix, endpoint] of prefixes) {
    if (path.startsWith(`${prefix}/`))
      return { endpoint: endpoint as Located["endpoint"], path, rest: path.slice(prefix.length) };
  }
  return undefined;
}

/**
 * The endpoints that firewall rules disable. Mesos compares the path after delegation; here a rule that names any
 * spelling of an endpoint (`/state`, `/slave(1)/state.json`) disables all of them, since they answer the same. `unknown`
 * are paths that name none.
 */
export function disabledEndpoints(paths: readonly string[]): {
  disabled: ReadonlySet<string>;
  unknown: readonly string[];
} {
  const disabled = new Set<string>();
  const unknown: string[] = [];
  for (const path of paths) {
    const endpoint = locate(path)?.endpoint.path;
    if (endpoint === undefined) unknown.push(path);
    else disabled.add(endpoint);
  }
  return { disabled, unknown };
}
