import { readFileSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { AccessControl } from "./authorization/access.ts";
import { parseAcls } from "./authorization/acls.ts";
import { authenticatorsOf } from "./authorization/authenticators.ts";
import { Authorizer } from "./authorization/authorizer.ts";
import { CredentialCheck, parseHttpCredentials } from "./authorization/credentials.ts";
import { ExecutorTokens } from "./authorization/executor-tokens.ts";
import { Refusals } from "./authorization/refusals.ts";
import type { ExecutorClaims } from "./authorization/subject.ts";
import type { AgentFlags } from "./flags/table.ts";
import type { CredentialFile } from "./master/credential-file.ts";
import { warnIfReadable } from "./master/secret-file.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Identity } from "./model/identity.ts";
import type { FrameworkRegistry } from "./tasks/registry.ts";

export interface PermissionsOptions {
  readonly flags: AgentFlags;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly registry: Pick<FrameworkRegistry, "active">;
  readonly identity: Pick<Identity, "phase">;
}

/** Who is asked for a name, who may do what, and what executors show. */
export class Permissions {
  readonly access: AccessControl;
  readonly authorizer: Authorizer;
  readonly refusals: Refusals;
  /** undefined: executors get none. */
  readonly tokens: ExecutorTokens | undefined;
  readonly #options: PermissionsOptions;

  /** Reads the files that the flags name. Throws a UserError that names flag, file and fix. */
  constructor(options: PermissionsOptions) {
    const { flags: values, clock, metrics, registry, identity } = options;
    const log = options.log.named("authorizer.cpp");
    this.#options = { ...options, log };
    const authenticators = authenticatorsOf(values);
    this.refusals = new Refusals({ log, clock, count: (name) => metrics.count(name) });
    this.authorizer = new Authorizer(values.acls);
    if (values.jwt_secret_key !== undefined) {
      warnIfReadable(values.jwt_secret_key, log);
      this.tokens = new ExecutorTokens(readKey(values.jwt_secret_key));
    }
    this.access = new AccessControl({
      realms: {
        readonly: values.authenticate_http_readonly,
        readwrite: values.authenticate_http_readwrite,
        executor: values.authenticate_http_executors,
      },
      credentials: authenticators.has("basic") ? this.#readCredentials() : undefined,
      tokens: authenticators.has("jwt") ? this.tokens : undefined,
      // Until it knows what runs, it says so (503): executors take any other refusal as final.
      isRunning: (claims) => identity.phase === "RECOVERING" || isRunning(registry, claims),
      refusals: this.refusals,
    });
  }

  /**
   * Reads names, passwords and rules again, and by whom this agent is known to its master. A file that is broken changes nothing,
   * and is said to be so.
   */
  reload(aclsFile: string | undefined, master?: Pick<CredentialFile, "path" | "reload">): void {
    const { log, flags } = this.#options;
    this.#attempt(`the rules of --acls in ${aclsFile}`, aclsFile, (path) =>
      this.authorizer.replace(parseAcls(JSON.parse(readFileSync(path, "utf8")))),
    );
    this.#attempt(`the names and passwords in ${flags.http_credentials}`, flags.http_credentials, () => {
      const read = this.#readCredentials();
      if (read !== undefined) this.access.replace(read);
    });
    this.#attempt(`the credential for the master in ${master?.path}`, master?.path, () => master?.reload());
    if ([aclsFile, flags.http_credentials, master].every((file) => file === undefined))
      log.warn("Nothing is read again: none of --acls, --http_credentials and --credential names a file");
  }

  #attempt(what: string, path: string | undefined, take: (path: string) => void): void {
    if (path === undefined) return;
    const { log } = this.#options;
    try {
      take(path);
      log.info(`Took over ${what}`);
    } catch (error) {
      log.error(`Not taken over, what was in force stays so: ${what}: ${messageOf(error)}`);
    }
  }

  #readCredentials(): CredentialCheck | undefined {
    const { flags, log } = this.#options;
    if (flags.http_credentials === undefined) return undefined;
    const content = readNamed("http_credentials", flags.http_credentials).toString("utf8");
    const credentials = parseHttpCredentials(content);
    if (credentials.hasPlainSecrets) warnIfReadable(flags.http_credentials, log);
    return new CredentialCheck(credentials);
  }
}

/** A file that a flag names. Throws a UserError that names both. */
function readNamed(flag: "http_credentials" | "jwt_secret_key", path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`the file of --${flag} cannot be read: ${messageOf(error)}`, "name a file that root can read");
  }
}

function readKey(path: string): Uint8Array {
  const key = readNamed("jwt_secret_key", path);
  if (key.length > 0) return key;
  throw new UserError(`the file of --jwt_secret_key, ${path}, is empty`, `head -c 32 /dev/urandom > ${path}`);
}

/** A token is for one run of its executor, until that has ended. */
function isRunning({ active }: PermissionsOptions["registry"], claims: ExecutorClaims): boolean {
  const executor = active.get(claims.frameworkId)?.executors.get(claims.executorId);
  return executor?.containerId === claims.containerId && executor.state !== "TERMINATED";
}
