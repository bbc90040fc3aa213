import { codeOf } from "../base/errors.ts";

type Stream = "stdout" | "stderr";
/** Writes some of the bytes, as write(2) does; how many. */
type Write = (descriptor: 1 | 2, bytes: Uint8Array, from: number) => number;

/** What this program and its tasks say. Who reads it may be slower than the task, or go away (`| head`). */
export class Screen {
  readonly #write: Write;
  readonly #gone: Record<Stream, boolean> = { stdout: false, stderr: false };
  /** Called once when nobody reads the standard output any more. */
  onUnread: () => void = () => undefined;

  constructor(write: Write) {
    this.#write = write;
  }

  /** Whether nobody reads the standard output any more. */
  get isUnread(): boolean {
    return this.#gone.stdout;
  }

  /** Writes all of it, or nothing more to who is gone. */
  readonly write = (name: Stream, bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length && !this.#gone[name]; ) {
      try {
        at += this.#write(name === "stdout" ? 1 : 2, bytes, at);
      } catch (error) {
        // A pipe that is full for the moment.
        if (codeOf(error) === "EAGAIN") continue;
        // A terminal that is gone says EIO.
        if (!["EPIPE", "EIO"].includes(codeOf(error) ?? "")) throw error;
        this.#gone[name] = true;
        if (name === "stdout") this.onUnread();
      }
    }
  };
}
