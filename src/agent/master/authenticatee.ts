import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { addressOf, formatUPID, type UPID } from "../../libprocess/upid.ts";
import type { Credential } from "../../mesos/credential.ts";
import {
  AuthenticateMessageSchema,
  AuthenticationCompletedMessageSchema,
  AuthenticationErrorMessageSchema,
  AuthenticationFailedMessageSchema,
  AuthenticationMechanismsMessageSchema,
  AuthenticationStartMessageSchema,
  AuthenticationStepMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type AuthenticationTiming,
  answerTo,
  attemptTimeout,
  cramMd5Response,
  type Outcome,
  retryWait,
  type SessionMessage,
  type Stage,
} from "./cram-md5.ts";

export interface AuthenticateeOptions {
  /** The process that is to be authenticated. */
  readonly process: Process;
  readonly credential: Credential;
  readonly timing: AuthenticationTiming;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** Links to the master, before each attempt. */
  readonly connect: (master: UPID) => void;
  /** Why that link could not be made or broke; undefined while nothing is known against it. */
  readonly linkFailure: () => string | undefined;
}

/**
 * Authenticates a process with a master by CRAM-MD5, again and again until it is completed or the credential is refused.
 * Each attempt has a process of its own, so that a late message of an earlier one finds nobody.
 */
export class Authenticatee {
  readonly #options: AuthenticateeOptions;
  #count = 0;
  #stop: (() => void) | undefined;

  constructor(options: AuthenticateeOptions) {
    this.#options = options;
  }

  /** Starts over with `master`; `done` is called once, unless `cancel` or another `start` comes first. */
  start(master: UPID, done: (outcome: { kind: "completed" } | { kind: "failed"; why: string }) => void): void {
    this.cancel();
    this.#attempt(master, 0, done);
  }

  /** Ends what is under way, silently. */
  cancel(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #attempt(master: UPID, n: number, done: (outcome: Exclude<Outcome, { kind: "error" }>) => void): void {
    const { process, timing, clock, log, random, connect } = this.#options;
    this.#count++;
    connect(master);
    const session = new Session(
      process.spawn(`crammd5-authenticatee(${this.#count})`),
      master,
      this.#options,
      (outcome) => {
        timeout.cancel();
        this.#stop = undefined;
        if (outcome.kind !== "error") return done(outcome);
        const wait = retryWait(n, timing, random());
        log.warn(
          `Authentication with ${formatUPID(master)} did not work: ${outcome.why}; trying again in ${Math.round(wait)} ms`,
        );
        const retry = clock.after(wait, () => this.#attempt(master, n + 1, done));
        this.#stop = () => retry.cancel();
      },
    );
    const limit = attemptTimeout(n, timing, random());
    const timeout: Timer = clock.after(limit, () => {
      session.end();
      log.warn(
        `Authentication with ${formatUPID(master)} was not completed within ${Math.round(limit)} ms; trying again. ` +
          this.#cause(master),
      );
      this.#attempt(master, n + 1, done);
    });
    this.#stop = () => {
      timeout.cancel();
      session.end();
    };
    session.request(process.self);
  }

  /** The cause where it is known, else what it may be. */
  #cause(master: UPID): string {
    const { process, linkFailure } = this.#options;
    const failure = linkFailure();
    return failure === undefined
      ? `The master must be able to connect back to ${addressOf(process.self)}, the address that this agent advertises`
      : `There is no connection to ${addressOf(master)} (${failure}): is the master running, and is the address right?`;
  }
}

/** One attempt: a process of its own that talks to the master's session process. */
class Session {
  readonly #process: Process;
  readonly #master: UPID;
  readonly #credential: Credential;
  readonly #log: Logger;
  readonly #done: (outcome: Outcome) => void;
  #stage: Stage = "requested";

  constructor(
    process: Process,
    master: UPID,
    options: Pick<AuthenticateeOptions, "credential" | "log">,
    done: (outcome: Outcome) => void,
  ) {
    this.#process = process;
    this.#master = master;
    this.#credential = options.credential;
    this.#log = options.log;
    this.#done = done;
    process.install(AuthenticationMechanismsMessageSchema, (from, { mechanisms }) =>
      this.#receive(from, { kind: "mechanisms", mechanisms }),
    );
    process.install(AuthenticationStepMessageSchema, (from, { data }) =>
      this.#receive(from, { kind: "step", challenge: data }),
    );
    process.install(AuthenticationCompletedMessageSchema, (from) => this.#receive(from, { kind: "completed" }));
    process.install(AuthenticationFailedMessageSchema, (from) => this.#receive(from, { kind: "failed" }));
    process.install(AuthenticationErrorMessageSchema, (from, { error }) =>
      this.#receive(from, { kind: "error", error }),
    );
  }

  request(principalProcess: UPID): void {
    const message = create(AuthenticateMessageSchema, { pid: formatUPID(principalProcess) });
    this.#process.send(this.#master, AuthenticateMessageSchema, message);
  }

  end(): void {
    this.#stage = "done";
    this.#process.terminate();
  }

  #receive(from: UPID | undefined, message: SessionMessage): void {
    if (this.#stage === "done") return;
    // Answering anybody would hand out material for guessing the secret.
    if (from === undefined || addressOf(from) !== addressOf(this.#master)) {
      this.#log.warn(`Ignored an authentication message from ${formatUPID(from)}: it is not the current master's`);
      return;
    }
    const answer = answerTo(this.#stage, message);
    this.#stage = answer.next;
    if ("outcome" in answer) {
      this.end();
      this.#done(answer.outcome);
    } else if (answer.send === "start") {
      // Without data: CRAM-MD5 is server-first, and SASL refuses a start with some.
      const start = create(AuthenticationStartMessageSchema, { mechanism: "CRAM-MD5" });
      this.#process.send(from, AuthenticationStartMessageSchema, start);
    } else if (message.kind === "step") {
      const data = cramMd5Response(this.#credential, message.challenge);
      this.#process.send(from, AuthenticationStepMessageSchema, create(AuthenticationStepMessageSchema, { data }));
    }
  }
}
