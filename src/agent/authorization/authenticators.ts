import { UserError } from "../../base/errors.ts";

/** How requests show who they come from: names and passwords, tokens of executors. */
export type Authenticator = "basic" | "jwt";

/** For the flag's table. Throws a UserError. */
export function parseAuthenticator(name: string): Authenticator {
  if (name === "basic" || name === "jwt") return name;
  throw new UserError(`'${name}' is not one of basic, jwt`, "modules are C++ libraries, which this agent cannot load");
}

/** What the flags name, or what they need. */
export function authenticatorsOf(values: {
  readonly http_authenticators: readonly Authenticator[] | undefined;
  readonly authenticate_http_executors: boolean;
}): ReadonlySet<Authenticator> {
  if (values.http_authenticators !== undefined) return new Set(values.http_authenticators);
  return new Set(values.authenticate_http_executors ? ["basic", "jwt"] : ["basic"]);
}
