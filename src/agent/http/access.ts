import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { UserError } from "../../base/errors.ts";
import { type Answer, text } from "../../http/answer.ts";
import { parseJson } from "../../mesos/json-text.ts";

/** Who may use the pages: principals and the digests of their secrets. */
export interface Access {
  readonly realms: { readonly readonly: boolean; readonly readwrite: boolean };
  readonly digests: ReadonlyMap<string, Buffer>;
}

export const openToAll: Access = { realms: { readonly: false, readwrite: false }, digests: new Map() };

const digestOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();
const NOBODY = digestOf("");

/** The content of --http_credentials: `{"credentials": [{"principal", "secret"}]}`. Throws a UserError, naming no secret. */
export function parseHttpCredentials(text: string): ReadonlyMap<string, Buffer> {
  const fix = 'write {"credentials": [{"principal": "…", "secret": "…"}]}';
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new UserError("the file of --http_credentials is not JSON", fix);
  }
  const list = (value as { credentials?: unknown } | null)?.credentials;
  if (!Array.isArray(list)) throw new UserError("the file of --http_credentials has no list of credentials", fix);
  const digests = new Map<string, Buffer>();
  for (const [index, item] of (list as { principal?: unknown; secret?: unknown }[]).entries()) {
    const { principal, secret } = item ?? {};
    if (typeof principal !== "string" || principal === "" || typeof secret !== "string")
      throw new UserError(`credential ${index + 1} of --http_credentials has no principal or no secret`, fix);
    if (principal.includes(":"))
      throw new UserError(
        `principal '${principal}' of --http_credentials has a ':', which HTTP cannot carry`,
        "rename it",
      );
    if (digests.has(principal)) throw new UserError(`--http_credentials has '${principal}' twice`, "keep one of them");
    digests.set(principal, digestOf(secret));
  }
  return digests;
}

/** The principal of an `Authorization: Basic` header that is right, or undefined. Takes the same time for all that are wrong. */
export function authenticate(header: string | undefined, digests: Access["digests"]): string | undefined {
  const match = /^basic +([a-z0-9+/=]+) *$/i.exec(header ?? "");
  const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  const principal = text.slice(0, Math.max(0, colon));
  const known = digests.get(principal);
  const equal = timingSafeEqual(digestOf(text.slice(colon + 1)), known ?? NOBODY);
  return equal && known !== undefined && colon > 0 ? principal : undefined;
}

const REALMS = { readonly: "mesos-agent-readonly", readwrite: "mesos-agent-readwrite" } as const;

/** The answer to somebody who has not shown the password of a realm; undefined: it may see what is in it. */
export function unauthorized(
  { realms, digests }: Access,
  realm: keyof Access["realms"],
  { authorization }: IncomingHttpHeaders,
): Answer | undefined {
  if (!realms[realm] || authenticate(authorization, digests) !== undefined) return undefined;
  return text(401, "", { "www-authenticate": `Basic realm="${REALMS[realm]}"` });
}
