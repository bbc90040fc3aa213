import { codeOf, UserError } from "../base/errors.ts";

/** What is wrong with an address that cannot be listened on, and what to do. */
export function bindError(error: Error, ip: string, port: number): UserError {
  const code = codeOf(error);
  const options = { cause: error };
  if (code === "EADDRINUSE")
    return new UserError(`${ip}:${port} is in use`, "stop what listens there, or choose another --port", options);
  if (code === "EADDRNOTAVAIL")
    return new UserError(`${ip} is not an address of this machine`, "give one that is to --ip (0.0.0.0: all)", options);
  if (code === "EACCES")
    return new UserError(`port ${port} may not be bound by this user`, "choose a --port above 1023", options);
  return new UserError(`cannot listen on ${ip}:${port}: ${error.message}`, undefined, options);
}
