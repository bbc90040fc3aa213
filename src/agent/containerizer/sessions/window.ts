import type { SessionOrder, WindowSize } from "../../model/session.ts";

/** What programs must know of a terminal, unless somebody says otherwise: the same as in Docker. */
export const TERMINAL_ENVIRONMENT = { TERM: "xterm" } as const;

/** A terminal of this size; undefined: none is asked for. */
export function windowOf({ container }: Pick<SessionOrder, "container">): WindowSize | undefined {
  const tty = container?.ttyInfo;
  return tty && { rows: tty.windowSize?.rows ?? 0, columns: tty.windowSize?.columns ?? 0 };
}
