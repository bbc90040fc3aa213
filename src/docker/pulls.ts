import { type Clock, every, type Timer } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Engine, PullProgress } from "./engine.ts";
import { EngineError } from "./errors.ts";

export interface PullRequest {
  readonly reference: string;
  readonly auth: string | undefined;
  readonly platform?: string | undefined;
}

interface RunningPull {
  readonly request: PullRequest;
  readonly controller: AbortController;
  readonly result: Promise<void>;
  readonly startedAt: number;
  waiting: number;
  progress: PullProgress | undefined;
}

/** What runs now, for state and logs. */
export interface PullReport {
  readonly reference: string;
  readonly milliseconds: number;
  readonly waiting: number;
  readonly progress: PullProgress | undefined;
}

/** A pull without a line of progress for so long has failed (milliseconds). */
const STALL = 300_000;
const REPORT_EVERY = 10_000;

/**
 * Pulls images. Pulls of the same image with the same credentials at the same time are one pull; it is given up when
 * everybody who waits for it has given up.
 */
export class ImagePulls {
  readonly #engine: Pick<Engine, "pull">;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #running = new Map<string, RunningPull>();
  #reporter: Timer | undefined;

  constructor(engine: Pick<Engine, "pull">, clock: Clock, log: Logger) {
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
  }

  get reports(): PullReport[] {
    return [...this.#running.values()].map(({ request, startedAt, waiting, progress }) => ({
      reference: request.reference,
      milliseconds: this.#clock.monotonic() - startedAt,
      waiting,
      progress,
    }));
  }

  /** Resolves when the image is there. Rejects with an EngineError that has the registry's own words. */
  async pull(request: PullRequest, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new EngineError("aborted", `pull of ${request.reference} given up`);
    const key = JSON.stringify([request.reference, request.auth, request.platform]);
    const running = this.#running.get(key) ?? this.#begin(key, request);
    running.waiting++;
    const given = Promise.withResolvers<never>();
    const abort = (): void => given.reject(new EngineError("aborted", `pull of ${request.reference} given up`));
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([running.result, given.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
      running.waiting--;
      if (running.waiting === 0 && this.#running.get(key) === running) {
        this.#running.delete(key);
        running.controller.abort();
      }
    }
  }

  #begin(key: string, request: PullRequest): RunningPull {
    const controller = new AbortController();
    const { reference, auth, platform } = request;
    this.#log.info(`Pulling image ${reference}`);
    const result = this.#engine.pull(reference, {
      auth,
      platform,
      signal: controller.signal,
      stall: STALL,
      onProgress: (progress) => {
        running.progress = progress;
      },
    });
    const running: RunningPull = {
      request,
      controller,
      startedAt: this.#clock.monotonic(),
      waiting: 0,
      progress: undefined,
      result: result.finally(() => {
        if (this.#running.get(key) === running) this.#running.delete(key);
        if (this.#running.size === 0) this.#reporter?.cancel();
      }),
    };
    running.result.then(
      () => this.#log.info(`Pulled image ${reference} in ${this.#seconds(running)} s`),
      (error) => this.#log.warn(`Pulling image ${reference} failed: ${messageOf(error)}`),
    );
    if (this.#running.size === 0) this.#reporter = every(this.#clock, REPORT_EVERY, () => this.#report());
    this.#running.set(key, running);
    return running;
  }

  #report(): void {
    if (this.#running.size === 0) this.#reporter?.cancel();
    for (const running of this.#running.values()) {
      const { progress } = running;
      const text = progress === undefined ? "no answer yet" : progressText(progress);
      this.#log.info(`Pulling image ${running.request.reference}: ${text}, ${this.#seconds(running)} s`);
    }
  }

  #seconds(running: RunningPull): string {
    return ((this.#clock.monotonic() - running.startedAt) / 1000).toFixed(1);
  }
}

/** `2 of 5 layers, 12.3 of 40.0 MB`. */
function progressText({ layers, done, bytes, totalBytes }: PullProgress): string {
  const megabytes = (size: number): string => (size / 1e6).toFixed(1);
  return `${done} of ${layers} layers, ${megabytes(bytes)} of ${megabytes(totalBytes)} MB`;
}
