import { AccessControl, type AccessOptions } from "../../src/agent/authorization/access.ts";
import { CredentialCheck, parseHttpCredentials } from "../../src/agent/authorization/credentials.ts";

/** Realms that take one name and its password, and no tokens. */
export function passwordAccess(
  principal: string,
  secret: string,
  realms: Partial<AccessOptions["realms"]>,
): AccessControl {
  const file = JSON.stringify({ credentials: [{ principal, secret }] });
  return new AccessControl({
    realms: { readonly: false, readwrite: false, executor: false, ...realms },
    credentials: new CredentialCheck(parseHttpCredentials(file)),
    tokens: undefined,
    isRunning: () => false,
    refusals: undefined,
  });
}
