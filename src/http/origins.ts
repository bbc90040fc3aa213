import type { IncomingHttpHeaders } from "node:http";
import { UserError } from "../base/errors.ts";

type Headers = Readonly<Record<string, string>>;

/** What a page of another origin may send, as ClusterD has it. */
const METHODS = "GET, POST, OPTIONS";
const HEADERS = ["Authorization", "Content-Type", "Accept", "Mesos-Stream-Id"];
/** Streams need these as well: they are allowed to whoever asks for them. */
const STREAM_HEADERS = ["Message-Accept", "Message-Content-Type"];
const EXPOSED = "Mesos-Stream-Id";

/** An origin in the one spelling that browsers send: lower case, without a default port. undefined: it is none. */
function canonical(given: string): string | undefined {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  return /^https?:\/\/[^/?#*]+$/i.test(given) ? url.origin : undefined;
}

/** One origin of `--http_cors_allowed_origins`, or `*`. Throws a UserError. */
export function parseOrigin(text: string): string {
  if (text === "*") return text;
  const origin = canonical(text);
  if (origin !== undefined) return origin;
  throw new UserError(
    `'${text}' is not an origin`,
    "write scheme, host and port as browsers show them, without a path: https://master1.example:5050",
  );
}

/** Which pages of other origins may ask: those of the list, or all (`*`); an empty list says nothing. */
export class Origins {
  readonly #named: ReadonlySet<string>;
  readonly #all: boolean;
  /** Whether somebody has said which. */
  readonly areGiven: boolean;

  /** Entries as `parseOrigin` gives them; none: nobody has said. */
  constructor(given: readonly string[]) {
    this.areGiven = given.length > 0;
    this.#named = new Set(given);
    this.#all = this.#named.has("*");
  }

  /** Whether pages of this origin may ask: by its name, or because all may. `null` (a file, a sandboxed frame) has no name. */
  allows(origin: string | undefined): "named" | "all" | undefined {
    const known = origin === undefined ? undefined : canonical(origin);
    if (known !== undefined && this.#named.has(known)) return "named";
    return this.#all && origin !== undefined ? "all" : undefined;
  }

  /**
   * The headers that let a page read an answer; `vary` is what the answer varies by already. `isPublic`: until somebody has
   * said who may, all may read this one. Where origins are named, every answer varies by them, also one to nobody's page: a
   * cache would hand it to a page that may read (Fetch standard, "CORS protocol and HTTP caches"). Where all may, all
   * answers say so, and none varies.
   */
  headers({ origin }: IncomingHttpHeaders, isPublic: boolean, vary: string | undefined): Headers {
    if (!this.areGiven) return isPublic ? { "access-control-allow-origin": "*" } : {};
    const varies = this.#named.size > Number(this.#all) ? { vary: varying(vary, "Origin") } : {};
    if (origin !== undefined && this.allows(origin) === "named")
      return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": EXPOSED,
        ...varies,
      };
    if (!this.#all) return varies;
    // Browsers take no password along to where everybody may read.
    return { "access-control-allow-origin": "*", "access-control-expose-headers": EXPOSED, ...varies };
  }

  /** What answers a browser that asks first whether its page may send a GET or POST; undefined: this is no such question. */
  preflight({ origin, ...headers }: IncomingHttpHeaders): Headers | undefined {
    const method = headers["access-control-request-method"];
    if (this.allows(origin) === undefined || (method !== "GET" && method !== "POST")) return undefined;
    const wanted = new Set((headers["access-control-request-headers"] ?? "").toLowerCase().split(/\s*,\s*/));
    const more = STREAM_HEADERS.filter((name) => wanted.has(name.toLowerCase()));
    return {
      "access-control-allow-methods": METHODS,
      "access-control-allow-headers": [...HEADERS, ...more].join(", "),
    };
  }

  /**
   * Whether a script that loads JSON as a program (JSONP) may: browsers tell nothing of its origin but the Referer. Until
   * somebody has said who may, all may: it is how masters' pages read their agents.
   */
  allowsScript(headers: IncomingHttpHeaders): boolean {
    if (!this.areGiven || this.#all) return true;
    const from = URL.parse(headers.referer ?? "");
    if (from !== null) return from.host === headers.host?.toLowerCase() || this.#named.has(from.origin);
    return headers["sec-fetch-site"] === undefined && !/Mozilla\//.test(headers["user-agent"] ?? "");
  }
}

/** A `Vary` header with one more name. */
export function varying(vary: string | undefined, name: string): string {
  const names = (vary ?? "").split(",").map((one) => one.trim());
  if (names.some((one) => one.toLowerCase() === name.toLowerCase())) return vary ?? "";
  return vary === undefined || vary === "" ? name : `${vary}, ${name}`;
}
