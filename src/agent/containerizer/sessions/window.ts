import type { SessionOrder, WindowSize } from "../../model/session.ts";

/** A terminal of this size; undefined: none is asked for. */
export function windowOf({ container }: Pick<SessionOrder, "container">): WindowSize | undefined {
  const tty = container?.ttyInfo;
  return tty && { rows: tty.windowSize?.rows ?? 0, columns: tty.windowSize?.columns ?? 0 };
}
