import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { UserError } from "../../base/errors.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import { parseJson } from "../../mesos/json-text.ts";
import { isHashOf, parseSecretHash, type SecretHash } from "./secret-hash.ts";

/** What a secret is compared with: its digest, when the file has the secret itself, or the hash that the file has. */
type Proof = { readonly digest: Buffer } | { readonly hash: SecretHash };

export interface HttpCredentials {
  readonly proofs: ReadonlyMap<string, Proof>;
  /** The file has secrets that can be read. */
  readonly hasPlainSecrets: boolean;
}

const digestOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();
const NOBODY = digestOf("");
const FORM = 'write {"credentials": [{"principal": "…", "secret": "…"}]}, or "secret_hash" instead of "secret"';

/** The content of --http_credentials. Throws a UserError that names the credential and no secret. */
export function parseHttpCredentials(text: string): HttpCredentials {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new UserError("the file of --http_credentials is not JSON", FORM);
  }
  const list = (value as { credentials?: unknown } | null)?.credentials;
  if (!Array.isArray(list)) throw new UserError("the file of --http_credentials has no list of credentials", FORM);
  const proofs = new Map<string, Proof>();
  for (const [index, item] of (list as Record<string, unknown>[]).entries()) {
    const { principal, ...more } = item ?? {};
    if (typeof principal !== "string" || principal === "")
      throw new UserError(`credential ${index + 1} of --http_credentials has no principal or no secret`, FORM);
    if (principal.includes(":"))
      throw new UserError(
        `principal '${principal}' of --http_credentials has a ':', which HTTP cannot carry`,
        "rename it",
      );
    if (proofs.has(principal)) throw new UserError(`--http_credentials has '${principal}' twice`, "keep one of them");
    proofs.set(principal, proofOf(more, `credential ${index + 1} of --http_credentials`));
  }
  return { proofs, hasPlainSecrets: [...proofs.values()].some((proof) => "digest" in proof) };
}

function proofOf({ secret, secret_hash: hash }: Record<string, unknown>, where: string): Proof {
  if (typeof secret === "string" && hash === undefined) return { digest: digestOf(secret) };
  if (typeof hash === "string" && secret === undefined) return { hash: parseSecretHash(hash, `the hash of ${where}`) };
  if (secret !== undefined && hash !== undefined)
    throw new UserError(`${where} has a secret and a hash of one`, "keep one of them");
  throw new UserError(`${where} has no principal or no secret`, FORM);
}

/** Checks of hashes that wait for each other at most; each takes some 50 ms of a core and 16 MB. */
const MOST_WAITING = 64;
/** Answers that are remembered, so that a page which asks every second costs one check. */
const MOST_REMEMBERED = 1_000;

export type Proven = { readonly principal: string } | "wrong" | "busy";

/** Who a name and a password are. Replaced as a whole when its file is read again. */
export class CredentialCheck {
  readonly #credentials: HttpCredentials;
  readonly #queue = new SerialQueue();
  /** Digests of headers that were right, salted with what dies with the process. */
  readonly #right = new Map<string, string>();
  readonly #salt = randomBytes(32);

  constructor(credentials: HttpCredentials) {
    this.#credentials = credentials;
  }

  /** Of a header `Basic …`. A wrong name takes as long as a wrong secret, where secrets are alike. */
  async check(header: string): Promise<Proven> {
    const match = /^basic +([a-z0-9+/=]+) *$/i.exec(header);
    const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
    const colon = text.indexOf(":");
    const principal = text.slice(0, Math.max(0, colon));
    const secret = text.slice(colon + 1);
    const proof = this.#credentials.proofs.get(principal);
    const shown = createHash("sha256").update(this.#salt).update(text).digest("hex");
    if (this.#right.get(shown) === principal && colon > 0) return { principal };
    const [hash, isStandIn] = this.#hashFor(proof);
    if (hash === undefined) {
      const known = proof !== undefined && "digest" in proof ? proof.digest : undefined;
      const isEqual = timingSafeEqual(digestOf(secret), known ?? NOBODY);
      return isEqual && known !== undefined && colon > 0 ? { principal } : "wrong";
    }
    if (this.#queue.length >= MOST_WAITING) return "busy";
    const isRight = await this.#queue.add(() => isHashOf(hash, secret));
    if (!isRight || isStandIn || colon <= 0) return "wrong";
    if (this.#right.size >= MOST_REMEMBERED) this.#right.clear();
    this.#right.set(shown, principal);
    return { principal };
  }

  /** The hash to compute: the principal's, or for an unknown one somebody's, so that names cannot be told by time. */
  #hashFor(proof: Proof | undefined): readonly [SecretHash | undefined, boolean] {
    if (proof !== undefined) return ["hash" in proof ? proof.hash : undefined, false];
    for (const other of this.#credentials.proofs.values()) if ("hash" in other) return [other.hash, true];
    return [undefined, true];
  }
}
