import type { CredentialCheck } from "./credentials.ts";
import type { ExecutorTokens } from "./executor-tokens.ts";
import type { Refusals } from "./refusals.ts";
import type { ExecutorClaims, Subject } from "./subject.ts";

/** What is kept apart: pages that show, pages that change, the executor API. The names are Mesos' own. */
const REALMS = {
  readonly: "mesos-agent-readonly",
  readwrite: "mesos-agent-readwrite",
  executor: "mesos-agent-executor",
} as const;
export type Realm = keyof typeof REALMS;

export interface AccessOptions {
  /** Realms that ask who it is; in the others everybody is without a name, whatever they show. */
  readonly realms: Readonly<Record<Realm, boolean>>;
  /** `basic`: names and passwords. */
  readonly credentials: CredentialCheck | undefined;
  /** `jwt`: tokens of executors. */
  readonly tokens: ExecutorTokens | undefined;
  /** Whether the container that a token is for is there: its token ends with it. */
  readonly isRunning: (claims: ExecutorClaims) => boolean;
  readonly refusals: Refusals | undefined;
}

export type Admission =
  | { readonly subject: Subject }
  /** `challenge`: the values of WWW-Authenticate; undefined: it may be asked again later (503). */
  | { readonly refused: true; readonly challenge: readonly string[] | undefined };

/** Who asks: the only place where a name, a password or a token is looked at. */
export class AccessControl {
  #credentials: CredentialCheck | undefined;
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
  }

  /** From now on these names and passwords. */
  replace(credentials: CredentialCheck): void {
    this.#credentials = credentials;
  }

  asks(realm: Realm): boolean {
    return this.#options.realms[realm];
  }

  /** `header`: Authorization, as it came; `from`: the address, for the log. */
  async admit(realm: Realm, header: string | undefined, from: string | undefined): Promise<Admission> {
    if (!this.asks(realm)) return { subject: undefined };
    const [subject, why] = await this.#subjectOf(header);
    if (subject !== undefined) return { subject };
    this.#options.refusals?.unauthenticated(REALMS[realm], from, why);
    return { refused: true, challenge: why === BUSY ? undefined : this.#challenge(realm) };
  }

  #challenge(realm: Realm): string[] {
    const { tokens } = this.#options;
    return [
      ...(this.#credentials === undefined ? [] : [`Basic realm="${REALMS[realm]}"`]),
      ...(tokens === undefined ? [] : [`Bearer realm="${REALMS[realm]}"`]),
    ];
  }

  async #subjectOf(header: string | undefined): Promise<readonly [Exclude<Subject, undefined> | undefined, string]> {
    if (header === undefined) return [undefined, "it shows neither a password nor a token"];
    const [, bearer] = /^bearer +(\S+) *$/i.exec(header) ?? [];
    const { tokens, isRunning } = this.#options;
    if (bearer !== undefined) {
      if (tokens === undefined) return [undefined, "tokens are not taken"];
      const claims = await tokens.verify(bearer);
      if ("problem" in claims) return [undefined, claims.problem];
      return isRunning(claims)
        ? [{ kind: "executor", claims }, ""]
        : [undefined, "the token is that of a container which is not running"];
    }
    const proven = (await this.#credentials?.check(header)) ?? "wrong";
    if (proven === "busy") return [undefined, BUSY];
    if (proven === "wrong") return [undefined, "the name or the password is wrong"];
    return [{ kind: "principal", name: proven.principal }, ""];
  }
}

const BUSY = "too many passwords are being checked";

/** Everybody is let in, without a name. */
export const openToAll = new AccessControl({
  realms: { readonly: false, readwrite: false, executor: false },
  credentials: undefined,
  tokens: undefined,
  isRunning: () => false,
  refusals: undefined,
});
