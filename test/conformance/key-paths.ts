/** Names that are data: metrics per framework, flags, ids. Their keys say nothing of an answer's form. */
const DATA = /^frameworks\/|[0-9a-f]{8}-[0-9a-f]{4}/;

/** Every path of keys in a JSON value, lists as one element (`frameworks[].executors[].role`), and what is there. */
export function keyPaths(value: unknown, at = "", found = new Map<string, string>()): ReadonlyMap<string, string> {
  if (Array.isArray(value)) for (const item of value) keyPaths(item, `${at}[]`, found);
  else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (DATA.test(key)) continue;
      const path = at === "" ? key : `${at}.${key}`;
      found.set(path, Array.isArray(item) ? "list" : typeof item);
      keyPaths(item, path, found);
    }
  }
  return found;
}
