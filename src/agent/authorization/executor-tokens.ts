import type { ExecutorClaims } from "./subject.ts";

/** The names that Mesos gives the claims of an executor's token. */
const NAMES = { frameworkId: "fid", executorId: "eid", containerId: "cid" } as const;
const ALGORITHM = "HS256";
/** A token of ours has some 300 characters; what is longer is not looked at. */
const LONGEST_TOKEN = 16_384;

/**
 * Tokens of executors as Mesos makes them: JWTs signed by HMAC-SHA256 with the content of --jwt_secret_key, byte for byte.
 * They have no end of their own: whoever checks one also asks whether its container is still there. The library is loaded with
 * the first token: a node without a key does not pay for it.
 */
export class ExecutorTokens {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  async of(claims: ExecutorClaims): Promise<string> {
    const { SignJWT } = await import("jose/jwt/sign");
    const payload = Object.fromEntries(
      Object.entries(NAMES).map(([ours, name]) => [name, claims[ours as keyof ExecutorClaims]]),
    );
    return await new SignJWT(payload).setProtectedHeader({ alg: ALGORITHM, typ: "JWT" }).sign(this.#key);
  }

  /** The claims of a token that this key has signed; why not, without a word of the token, when it has not. */
  async verify(token: string): Promise<ExecutorClaims | { readonly problem: string }> {
    if (token.length > LONGEST_TOKEN) return { problem: "the token is too long" };
    const { jwtVerify } = await import("jose/jwt/verify");
    try {
      const { payload } = await jwtVerify(token, this.#key, { algorithms: [ALGORITHM] });
      const claim = (name: string): string => {
        const value = payload[name];
        if (typeof value !== "string") throw new Error(`it has no claim '${name}'`);
        return value;
      };
      return {
        frameworkId: claim(NAMES.frameworkId),
        executorId: claim(NAMES.executorId),
        containerId: claim(NAMES.containerId),
      };
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      return { problem: typeof code === "string" ? `the token is not valid (${code})` : (error as Error).message };
    }
  }
}
