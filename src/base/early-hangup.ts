/**
 * Importing this, before anything else, keeps a HUP that comes while the program is still being loaded from ending it: it is
 * remembered for whoever reads the configuration again.
 */
let listener: (() => void) | undefined;
let isHeard = false;

process.on("SIGHUP", () => {
  isHeard = listener === undefined;
  listener?.();
});

/** Calls `action` for every HUP from now on, and once for those that came before. */
export function onHangup(action: () => void): void {
  listener = action;
  if (isHeard) action();
}
