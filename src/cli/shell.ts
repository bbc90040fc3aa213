import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../base/clock.ts";

/** What is typed here: a terminal, a pipe, a file. */
type ShellInput = Readable & { readonly isTTY?: boolean };

/** Where output goes; a terminal has a size, and says `resize`. */
type ShellOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** What surrounds a command: given by main, or by a test. */
export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: ShellInput;
  readonly output: ShellOutput;
  readonly errors: Writable;
  /** Says SIGINT, SIGTERM and SIGHUP. */
  readonly signals: Pick<EventEmitter, "on" | "off">;
  readonly clock: Clock;
  /** This terminal passes every key on, and shows what it is sent as it is; or is as it was before. */
  setRaw(isRaw: boolean): void;
}

/** Signals that end a command, and their numbers. */
const ENDING = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** Writes to `stream`; resolves when it takes more. */
export async function say(stream: Writable, text: string | Uint8Array): Promise<void> {
  if (stream.write(text) || stream.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}

/** Aborts when a signal asks this command to end; the reason is the signal's number. */
export function endingSignal({ signals }: Shell): AbortSignal {
  const ending = new AbortController();
  for (const [name, number] of Object.entries(ENDING)) signals.on(name, () => ending.abort(number));
  return ending.signal;
}
