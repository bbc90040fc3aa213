import type { Readable, Writable } from "node:stream";
import type { ContainerTermination } from "../../model/container.ts";
import type { Session, SessionProcess, SessionReader, WindowSize } from "../../model/session.ts";

/** Resolves when more may be written; at once when nobody reads any more. */
export async function writeTo(input: Writable, data: Uint8Array): Promise<void> {
  if (!input.writable || input.write(data)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      for (const event of ["drain", "close", "error"]) input.off(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) input.on(event, done);
  });
}

/**
 * A process and those who speak with it. What is under way is bounded: a piece is read when every reader has taken the one
 * before, so the slowest of them holds up the process, as a full pipe would.
 */
export class OpenSession implements Session {
  readonly #process: SessionProcess;
  readonly #readers = new Set<SessionReader>();
  readonly ended: Promise<ContainerTermination>;
  #hasWriter = false;
  #first = Promise.withResolvers<void>();
  #isOver = false;

  constructor(process: SessionProcess) {
    this.#process = process;
    process.input.on("error", () => undefined);
    const { stdout, stderr } = process;
    const outputs = [this.#pass(stdout, "stdout"), ...(stderr === undefined ? [] : [this.#pass(stderr, "stderr")])];
    this.ended = process.termination.then(async (termination) => {
      await Promise.all(outputs);
      this.#isOver = true;
      for (const reader of this.#readers) reader.end();
      this.#readers.clear();
      return termination;
    });
  }

  get hasTerminal(): boolean {
    return this.#process.hasTerminal;
  }

  async #pass(output: Readable, stream: "stdout" | "stderr"): Promise<void> {
    try {
      for await (const piece of output as AsyncIterable<Buffer>) {
        // Nothing is lost before the first one is there, also of a process that has ended by then.
        await this.#first.promise;
        await Promise.all([...this.#readers].map((reader) => reader.data(stream, piece)));
      }
    } catch {
      // It was killed; what it had said by then is out.
    }
  }

  attach(reader: SessionReader): () => void {
    if (this.#isOver) {
      reader.end();
      return () => undefined;
    }
    this.#readers.add(reader);
    this.#first.resolve();
    return () => void this.#readers.delete(reader);
  }

  takeInput(): (() => void) | undefined {
    if (this.#hasWriter) return undefined;
    this.#hasWriter = true;
    return () => {
      this.#hasWriter = false;
    };
  }

  write(data: Uint8Array): Promise<void> {
    return writeTo(this.#process.input, data);
  }

  endInput(): void {
    if (!this.#process.hasTerminal) this.#process.input.end();
  }

  resize(size: WindowSize): void {
    this.#process.resize(size);
  }

  kill(): void {
    // Nobody comes any more.
    this.#first.resolve();
    this.#process.kill();
  }
}
