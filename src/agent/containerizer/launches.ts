/** The launches that a containerizer has under way, and what is asked of them meanwhile. */
export class Launches {
  readonly #underWay = new Map<string, { abort: AbortController; grace: number | undefined }>();

  get size(): number {
    return this.#underWay.size;
  }

  has(id: string): boolean {
    return this.#underWay.has(id);
  }

  /**
   * Runs `work` as the launch of a container; `stop` ends one that was asked to end in the moment of its start: it runs, and
   * gets its grace like any other. Rejects as `work` does.
   */
  async run<T>(
    id: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
    stop: (grace: number) => void,
  ): Promise<T> {
    const launching = { abort: new AbortController(), grace: undefined as number | undefined };
    this.#underWay.set(id, launching);
    try {
      const started = await work(AbortSignal.any([signal, launching.abort.signal]));
      if (launching.grace !== undefined) stop(launching.grace);
      return started;
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** Ends a launch, or what it has become by then; the shortest grace holds. Unknown ids are ignored. */
  end(id: string, grace: number, reason?: Error): void {
    const launching = this.#underWay.get(id);
    if (launching === undefined) return;
    launching.grace = Math.min(launching.grace ?? grace, grace);
    launching.abort.abort(reason);
  }

  /** The containerizer leaves: launches stop where they are, and what runs by then runs on. */
  close(): void {
    for (const { abort } of this.#underWay.values()) abort.abort();
  }
}
