import { readFileSync } from "node:fs";
import { messageOf, UserError } from "../base/errors.ts";
import { type Credential, parseCredential } from "../mesos/credential.ts";

interface Asked {
  /** --credential */
  readonly credential: string | undefined;
  /** --principal */
  readonly principal: string | undefined;
}

/** One of the credentials in a file: `principal secret`, JSON of one, or `{"credentials": [one, …]}`. Throws a UserError. */
export function credentialIn(text: string, source: string, principal: string | undefined): Credential {
  const list = listIn(text);
  if (list === undefined) {
    const only = parseCredential(text, source);
    if (principal === undefined || only.principal === principal) return only;
    throw new UserError(
      `${source} has the credential of '${only.principal}', not of '${principal}'`,
      "leave --principal out",
    );
  }
  const named = list.filter((one) => principal === undefined || one["principal"] === principal);
  const names = list.map((one) => String(one["principal"])).join(", ");
  if (named.length === 0) throw new UserError(`${source} has no credential of '${principal}'`, `it has: ${names}`);
  if (named.length > 1) throw new UserError(`${source} has several credentials`, `say which: --principal=… (${names})`);
  const [one] = named;
  if (one?.["secret"] === undefined && one?.["secret_hash"] !== undefined)
    throw new UserError(
      `${source} has only a hash of the secret of '${String(one["principal"])}'`,
      "give a file with the secret itself: --credential=FILE",
    );
  return parseCredential(JSON.stringify(one), source);
}

function listIn(text: string): Record<string, unknown>[] | undefined {
  try {
    const { credentials } = JSON.parse(text) as { credentials?: unknown };
    return Array.isArray(credentials) ? credentials : undefined;
  } catch {
    return undefined;
  }
}

/** Who asks. A file of the environment that cannot be read is no mistake: it may be the agent's own. */
export function credentialOf(
  { credential: file, principal }: Asked,
  environment: Readonly<Record<string, string | undefined>>,
): Credential | undefined {
  const plain = (path: string): string => path.replace(/^file:\/\//, "");
  if (file !== undefined) {
    try {
      return credentialIn(readFileSync(file, "utf8"), file, principal);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`--credential: ${messageOf(error)}`, "name a file that you may read");
    }
  }
  const known = environment["MESOS_CREDENTIAL"] || environment["MESOS_CREDENTIALS"];
  if (!known) {
    if (principal === undefined) return undefined;
    throw new UserError("--principal needs a file with its secret", "give --credential=FILE");
  }
  let text: string;
  try {
    text = readFileSync(plain(known), "utf8");
  } catch {
    return undefined;
  }
  return credentialIn(text, plain(known), principal);
}
