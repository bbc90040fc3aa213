import { Readable } from "node:stream";

/**
 * Standard input as something that can be read again from a position: what is not acknowledged is kept, so that one
 * pipeline goes on where another one stopped. What the pipelines read are views; the stream itself is never ended here.
 */
export class StandardInput {
  readonly #open: () => NodeJS.ReadableStream;
  #stream: NodeJS.ReadableStream | undefined;
  /** What is kept, in order. */
  #chunks: Buffer[] = [];
  /** Position of the first byte that is kept. */
  #base = 0;
  #end = 0;
  #ended = false;
  #failure: Error | undefined;
  #pump: () => void = () => undefined;

  /** `open`: the stream, asked for when somebody reads. */
  constructor(open: () => NodeJS.ReadableStream) {
    this.#open = open;
  }

  /** Position from which a view begins: everything before it is acknowledged. */
  get position(): number {
    return this.#base;
  }

  /** Bytes that are kept. */
  get held(): number {
    return this.#end - this.#base;
  }

  /** Everything before `position` is acknowledged: it is kept no longer. */
  release(position: number): void {
    for (let first = this.#chunks[0]; first !== undefined && this.#base < position; first = this.#chunks[0]) {
      const count = Math.min(first.length, position - this.#base);
      if (count === first.length) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      this.#base += count;
    }
  }

  /** The bytes from `position` on: those that are kept, then those that come. Only the newest view is served. */
  view(): Readable {
    this.#listen();
    let [at, wanted] = [this.#base, false];
    const pump = (): void => {
      while (wanted && this.#pump === pump) {
        if (at < this.#end) {
          const bytes = this.#from(at);
          at += bytes.length;
          wanted = view.push(bytes);
        } else {
          if (this.#failure !== undefined) view.destroy(this.#failure);
          else if (this.#ended) view.push(null);
          else this.#stream?.resume();
          return;
        }
      }
    };
    const view = new Readable({
      read: () => {
        wanted = true;
        pump();
      },
    });
    this.#pump = pump;
    return view;
  }

  /** The rest of the chunk in which `position` lies. */
  #from(position: number): Buffer {
    let start = this.#base;
    for (const chunk of this.#chunks) {
      if (position < start + chunk.length) return chunk.subarray(position - start);
      start += chunk.length;
    }
    return Buffer.alloc(0);
  }

  #listen(): void {
    if (this.#stream !== undefined) return;
    const stream = this.#open();
    this.#stream = stream;
    stream.on("data", (chunk: Buffer | string) => {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      this.#chunks.push(bytes);
      this.#end += bytes.length;
      // Nobody is asked for more before what is here has been taken.
      stream.pause();
      this.#pump();
    });
    stream.on("end", () => {
      this.#ended = true;
      this.#pump();
    });
    stream.on("error", (error: Error) => {
      this.#failure = error;
      this.#pump();
    });
    stream.pause();
  }
}
