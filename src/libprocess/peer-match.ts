import { UserError } from "../base/errors.ts";

const NAME = "LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH";

/** Whether senders must be where they say that they are. Throws a UserError for what is no truth value. */
export function readPeerMatch(environment: Readonly<Record<string, string | undefined>>): boolean {
  const value = environment[NAME] ?? "";
  if (value === "" || value === "false" || value === "0") return false;
  if (value === "true" || value === "1") return true;
  throw new UserError(`${NAME}=${value} is not a truth value`, "write true, 1, false or 0");
}
