/** How requests show who they come from: names and passwords, tokens of executors. */
export type Authenticator = "basic" | "jwt";

/** What the flags name, or what they need. */
export function authenticatorsOf(values: {
  readonly http_authenticators: readonly Authenticator[] | undefined;
  readonly authenticate_http_executors: boolean;
}): ReadonlySet<Authenticator> {
  if (values.http_authenticators !== undefined) return new Set(values.http_authenticators);
  return new Set(values.authenticate_http_executors ? ["basic", "jwt"] : ["basic"]);
}
