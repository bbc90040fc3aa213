/** Where an executor finds its token, as Mesos' own libraries read it. */
export const TOKEN_VARIABLE = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

/** The environment of an executor, for what runs beside it in its container: the token is nobody else's. */
export function withoutToken(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { [TOKEN_VARIABLE]: _token, ...others } = environment;
  return others;
}
