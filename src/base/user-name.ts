import { userInfo } from "node:os";

/** The name of the user that this process runs as; undefined when that one has none, as in a container run with `--user 1234`. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
