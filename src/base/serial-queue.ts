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

/** One SerialQueue per key; a key whose queue runs empty is forgotten. */
export class KeyedQueue {
  readonly #queues = new Map<string, SerialQueue>();

  add<T>(key: string, job: () => Promise<T> | T): Promise<T> {
    const queue = this.#queues.get(key) ?? new SerialQueue();
    this.#queues.set(key, queue);
    return queue.add(job).finally(() => {
      if (queue.length === 0 && this.#queues.get(key) === queue) this.#queues.delete(key);
    });
  }
}
