const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** Finds Ctrl-P Ctrl-Q, docker's keys to let go, in what is typed; a Ctrl-P waits for what follows it. */
export class DetachKeys {
  #held = false;

  /** What is to be passed on of `chunk`, and whether it ends with the keys. */
  push(chunk: Uint8Array): { readonly data: Uint8Array; readonly isDetached: boolean } {
    const data: number[] = [];
    for (const byte of chunk) {
      if (this.#held && byte === CTRL_Q) return { data: Uint8Array.from(data), isDetached: true };
      if (this.#held) data.push(CTRL_P);
      this.#held = byte === CTRL_P;
      if (!this.#held) data.push(byte);
    }
    return { data: Uint8Array.from(data), isDetached: false };
  }
}
