import { sleep } from "../base/clock.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { type Claims, claim, release } from "./claims.ts";
import { complaintAbout } from "./lumberjack/tls-material.ts";
import type { Settings } from "./model/settings.ts";
import type { Source } from "./model/source.ts";
import { Pipeline, type PipelineOptions } from "./pipeline.ts";
import { StandardInput } from "./standard-input.ts";

/** Milliseconds between attempts to start where there is no room, or to go back to what ran. */
const RETRY = 500;

export type ServiceOptions = Omit<PipelineOptions, "settings" | "stdin" | "inherited"> & {
  readonly stdin: () => NodeJS.ReadableStream;
};

interface Running {
  readonly settings: Settings;
  readonly claims: Claims;
  readonly pipeline: Pipeline;
}

/**
 * One pipeline after the other:
 *
 *     idle ── start ──▶ running ── stop ──▶ stopped
 *                        │   ▲
 *                 reload │   │ the next one runs, or the old one goes on
 *                        ▼   │
 *                      changing
 */
export class Service {
  readonly #options: ServiceOptions;
  readonly #stdin: StandardInput;
  #running: Running | undefined;
  #stopped = false;
  /** A start or a reload that is under way. */
  #changing: Promise<void> = Promise.resolve();
  #finish: () => void = () => undefined;
  /** Events that were acknowledged by all pipelines so far, and files that the last of them followed. */
  outcome = { events: 0, files: 0 };
  /** Resolves when everything is shipped, see Pipeline.done. */
  readonly done: Promise<void> = new Promise((resolve) => {
    this.#finish = resolve;
  });

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#stdin = new StandardInput(options.stdin);
  }

  /**
   * Begins; rejects with a UserError when it cannot. A full disk is waited for: nothing is lost meanwhile, a restart
   * would find it as full, and supervisord would give up.
   */
  start(settings: Settings): Promise<void> {
    return this.#change(() => this.#start(settings));
  }

  /**
   * Changes to other settings. What they need is taken before the running pipeline stops; when they cannot start, the old
   * ones go on, and it rejects with the reason.
   */
  reload(settings: Settings): Promise<void> {
    return this.#change(() => this.#reload(settings));
  }

  /** Stops, also while it starts or changes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // Shortens the patience of a reload that waits for it.
    await this.#running?.pipeline.stop();
    await this.#changing.catch(() => undefined);
    await this.#running?.pipeline.stop();
    this.#count();
    if (this.#running !== undefined) release(this.#running.claims);
    this.#running = undefined;
  }

  /** A pipeline has stopped. */
  #count(): void {
    const status = this.#running?.pipeline.status();
    if (status !== undefined)
      this.outcome = { events: this.outcome.events + status.shipped.events, files: status.files.length };
  }

  #change(action: () => Promise<void>): Promise<void> {
    this.#changing = this.#changing.then(action, action);
    return this.#changing;
  }

  async #start(settings: Settings): Promise<void> {
    for (let isTold = false; !this.#stopped; await sleep(this.#options.clock, RETRY)) {
      try {
        await this.#run(settings, await this.#claim(settings));
        return;
      } catch (error) {
        const isFull = error instanceof UserError && codeOf(error.cause) === "ENOSPC";
        if (!isFull || this.#options.once) throw error;
        if (!isTold) this.#options.log.error(`nothing is shipped until there is room: ${messageOf(error)}`);
        isTold = true;
      }
    }
  }

  async #reload(settings: Settings): Promise<void> {
    const old = this.#running;
    if (old === undefined || this.#stopped) return;
    const { tls } = settings.network;
    const complaint = tls === undefined || this.#options.tap !== undefined ? undefined : complaintAbout(tls);
    if (complaint !== undefined) throw new UserError(complaint);
    const claims = await this.#claim(settings, old.claims);
    // Nobody waits for a reload: what is on the wire is waited for until its server would be given up.
    await old.pipeline.stop(old.settings.network.maximumWait, { readsStdin: readsStdin(settings) });
    if (this.#stopped) {
      release(claims, old.claims);
      return;
    }
    this.#count();
    try {
      await this.#run(settings, claims, old.pipeline.followed);
      release(old.claims, claims);
    } catch (error) {
      release(claims, old.claims);
      await this.#goBack(old);
      throw error;
    }
  }

  #claim(settings: Settings, held?: Claims): Promise<Claims> {
    const { tap, log } = this.#options;
    return claim({ settings, durable: tap === undefined, log }, held);
  }

  /** `inherited`: what the pipeline before it followed. */
  async #run(settings: Settings, claims: Claims, inherited?: readonly Source[]): Promise<void> {
    const pipeline = new Pipeline({ ...this.#options, settings, stdin: this.#stdin, inherited });
    try {
      await pipeline.start();
    } catch (error) {
      if (this.#running === undefined) release(claims);
      throw error;
    }
    if (claims.server !== undefined) claims.server.shows = () => pipeline.status();
    this.#running = { settings, claims, pipeline };
    void pipeline.done.then(() => this.#running?.pipeline === pipeline && this.#finish());
  }

  /** What ran before a reload runs again, however long it takes. */
  async #goBack({ settings, claims, pipeline }: Running): Promise<void> {
    for (let isTold = false; !this.#stopped; await sleep(this.#options.clock, RETRY)) {
      try {
        await claims.server?.listen();
        await this.#run(settings, claims, pipeline.followed);
        return;
      } catch (error) {
        if (!isTold) this.#options.log.error(`the old configuration cannot be taken up yet: ${messageOf(error)}`);
        isTold = true;
      }
    }
  }
}

const readsStdin = ({ files }: Settings): boolean => files.some(({ paths }) => paths.includes("-"));
