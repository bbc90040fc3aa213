/** Runs asynchronous jobs one after the other, in the order they were added. A failing job does not stop the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Jobs added and not ended. */
  get length(): number {
    return this.#length;
  }

  /** The job's own result or failure. */
  add<T>(job: () => Promise<T> | T): Promise<T> {
    this.#length++;
    const result = this.#tail.then(job).finally(() => {
      this.#length--;
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything added so far has ended. */
  async drained(): Promise<void> {
    await this.#tail;
  }
}
