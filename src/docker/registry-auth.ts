import * as z from "zod";
import { messageOf, UserError } from "../base/errors.ts";

/** How to log in at one registry. */
export interface RegistryCredential {
  readonly username: string;
  readonly password: string;
  /** A token instead of a password. */
  readonly identityToken?: string | undefined;
  readonly serverAddress: string;
}

/** What a docker configuration says of registries. Both forms: `.docker/config.json` and the old `.dockercfg`. */
export interface RegistryConfig {
  readonly auths: Readonly<Record<string, AuthEntry>>;
  /** Registry host → helper's name. */
  readonly helpers: Readonly<Record<string, string>>;
  /** Helper for every registry. */
  readonly store: string | undefined;
}

/** Asks a credential helper (`docker-credential-<helper> get`); undefined when it knows nothing. */
export type AskHelper = (helper: string, server: string) => Promise<{ username: string; secret: string } | undefined>;

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const entrySchema = z.object({ auth: text, username: text, password: text, identitytoken: text });
type AuthEntry = z.infer<typeof entrySchema>;
const entriesSchema = z.record(z.string(), entrySchema);
const configSchema = z.object({
  auths: entriesSchema.nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

/**
 * Reads a docker configuration: an object with `auths`, `credHelpers` or `credsStore`, or the `.dockercfg` form, whose
 * keys are registries. Throws a UserError that names `where`, never what is in it.
 */
export function parseRegistryConfig(json: string, where: string): RegistryConfig {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new UserError(`${where} is not JSON`, "it must be a docker config.json or .dockercfg");
  }
  const isConfig =
    typeof value === "object" && value !== null && ["auths", "credHelpers", "credsStore"].some((key) => key in value);
  const config = isConfig ? configSchema.safeParse(value) : entriesSchema.safeParse(value);
  if (!config.success) {
    const path = config.error.issues[0]?.path.join(".") ?? "";
    throw new UserError(`${where} is not a docker configuration (at '${path}')`, "see docker login's config.json");
  }
  if (!isConfig) return { auths: config.data as Record<string, AuthEntry>, helpers: {}, store: undefined };
  const { auths, credHelpers, credsStore } = config.data as z.infer<typeof configSchema>;
  return { auths: auths ?? {}, helpers: credHelpers ?? {}, store: credsStore || undefined };
}

const DOCKER_HUB = "docker.io";
const HUB_SERVER = "https://index.docker.io/v1/";
const HUB_NAMES = new Set([DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);

/** `https://index.docker.io/v1/` → `docker.io`; `https://host:5000/v2/` → `host:5000`. */
export function registryHost(server: string): string {
  const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return HUB_NAMES.has(host) ? DOCKER_HUB : host;
}

/**
 * The credential of `config` for `registry` (a host, `docker.io` for Docker Hub): a helper of that registry first, then
 * an entry, then the store, as the docker command looks. Undefined when there is none.
 */
export async function findCredential(
  config: RegistryConfig,
  registry: string,
  askHelper: AskHelper,
): Promise<RegistryCredential | undefined> {
  const wanted = registryHost(registry);
  const server = wanted === DOCKER_HUB ? HUB_SERVER : registry;
  const isWanted = (key: string): boolean => registryHost(key) === wanted;
  const helper = Object.entries(config.helpers).find(([key]) => isWanted(key))?.[1];
  if (helper !== undefined) return fromHelper(helper, server, askHelper);
  const entry = Object.entries(config.auths).find(([key, one]) => isWanted(key) && !isEmpty(one));
  if (entry !== undefined) return fromEntry(entry[0], entry[1], server);
  return config.store === undefined ? undefined : fromHelper(config.store, server, askHelper);
}

const isEmpty = (entry: AuthEntry): boolean => entry.auth === "" && entry.username === "" && entry.identitytoken === "";

function fromEntry(key: string, entry: AuthEntry, server: string): RegistryCredential {
  let { username, password } = entry;
  if (entry.auth !== "") {
    const decoded = Buffer.from(entry.auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    if (colon < 0) {
      throw new UserError(`the docker credentials for ${key} are malformed`, "'auth' must be base64 of user:password");
    }
    username = decoded.slice(0, colon);
    password = decoded.slice(colon + 1).replace(/\0+$/, "");
  }
  return { username, password, identityToken: entry.identitytoken || undefined, serverAddress: server };
}

async function fromHelper(
  helper: string,
  server: string,
  askHelper: AskHelper,
): Promise<RegistryCredential | undefined> {
  // The name comes from a file that a task may have brought: it only ever picks a program of that prefix.
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/i.test(helper)) throw new UserError(`'${helper}' is not a credential helper's name`);
  let answer: { username: string; secret: string } | undefined;
  try {
    answer = await askHelper(helper, server);
  } catch (error) {
    throw new UserError(`docker-credential-${helper} failed for ${server}: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
  if (answer === undefined) return undefined;
  const isToken = answer.username === "<token>";
  return {
    username: isToken ? "" : answer.username,
    password: isToken ? "" : answer.secret,
    identityToken: isToken ? answer.secret : undefined,
    serverAddress: server,
  };
}

/** The value of `X-Registry-Auth`. */
export function registryAuthHeader(credential: RegistryCredential): string {
  const { username, password, identityToken, serverAddress } = credential;
  const login = identityToken ? { identitytoken: identityToken } : { username, password };
  const json = JSON.stringify({ ...login, serveraddress: serverAddress });
  // With padding, which daemons before Docker 23 insist on: without it they see no credentials and say nothing.
  return Buffer.from(json).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}
