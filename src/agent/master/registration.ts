import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../libprocess/upid.ts";
import { decode } from "../../mesos/codec.ts";
import type { Credential } from "../../mesos/credential.ts";
import type { MasterDetector } from "../../mesos/detector.ts";
import {
  PingSlaveMessageSchema,
  PongSlaveMessageSchema,
  type RegisterSlaveMessage,
  type ReregisterSlaveMessage,
  ShutdownMessageSchema,
  type SlaveRegisteredMessage,
  SlaveRegisteredMessageSchema,
  type SlaveReregisteredMessage,
  SlaveReregisteredMessageSchema,
  UnregisterSlaveMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import { isBesideMaster } from "../model/senders.ts";
import { Authenticatee } from "./authenticatee.ts";
import { type AuthenticationTiming, DEFAULT_AUTHENTICATION_TIMING } from "./cram-md5.ts";
import { explainSilence } from "./explain.ts";
import { encoded, type Outgoing, registrationProblem } from "./outgoing.ts";
import { shutdownAdvice } from "./shutdown-advice.ts";
import {
  type Action,
  decide,
  INITIAL_STATE,
  type Phase,
  type Refusal,
  type RegistrationEvent,
  type RegistrationState,
} from "./state.ts";

export interface RegistrationEvents {
  /**
   * The master admitted a new agent under this id, which is for ever. `duplicate`: said again while running. Write it to
   * disk before anything depends on it.
   */
  registered(id: string, message: SlaveRegisteredMessage, duplicate: boolean): void;
  /** The master took the agent back; it may list tasks that it expects to be here. */
  reregistered(message: SlaveReregisteredMessage, duplicate: boolean): void;
  /** No longer running: stop forwarding updates. Tasks go on. */
  disconnected(why: string): void;
  /** Another leader, or none: for /state and for the era of what is sent. */
  detected(master: MasterInfo | undefined): void;
  /** The master says: kill everything and end. */
  shutdown(message: string): void;
  /** Registration can never succeed as things are: the C++ agent exits. `invalid`: our own message may not be sent. */
  refused(refusal: Refusal | "invalid", why: string): void;
}

export interface RegistrationOptions {
  readonly process: Process;
  readonly detector: MasterDetector;
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly credential?: Credential | undefined;
  /** Milliseconds: --registration_backoff_factor. */
  readonly backoffFactor: number;
  readonly authentication?: AuthenticationTiming;
  readonly identity: Pick<Identity, "knownId">;
  /** Where messages to the master go: kept up here. */
  readonly master: MasterChannel;
  /** Asked afresh for each attempt. */
  readonly announcements: { register(): RegisterSlaveMessage; reregister(): ReregisterSlaveMessage };
  readonly events: RegistrationEvents;
}

/** Milliseconds without a ping after which the master has given the agent up, unless the master says otherwise. */
const DEFAULT_PING_TIMEOUT = 75_000;

/**
 * Milliseconds below which the first registration of a process waits. The back-off factor keeps agents from rushing at a new
 * leader together; agents that are started do not come together.
 */
const FIRST_WAIT = 100;

/** Keeps the agent registered with whoever leads: the state machine of state.ts, carried out. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #authenticatee: Authenticatee | undefined;
  #state: RegistrationState = INITIAL_STATE;
  #masterInfo: MasterInfo | undefined;
  #attemptTimer: Timer | undefined;
  #pingTimer: Timer | undefined;
  #pingTimeout = DEFAULT_PING_TIMEOUT;
  #linkFailure: string | undefined;
  #lastSent: Outgoing | undefined;
  #announce: (duplicate: boolean) => void = () => undefined;
  #shutdownMessage = "";
  #sawMaster = false;
  readonly #events: RegistrationEvent[] = [];

  constructor(options: RegistrationOptions) {
    this.#options = options;
    const { process, credential, clock, log, random, authentication } = options;
    if (credential !== undefined) {
      const timing = authentication ?? DEFAULT_AUTHENTICATION_TIMING;
      this.#authenticatee = new Authenticatee({
        process,
        credential,
        timing,
        clock,
        log,
        random,
        connect: (master) => this.#link(master),
        linkFailure: () => this.#linkFailure,
      });
    }
    this.#install();
  }

  /** Starts to look for a master: call it when recovery is done. Pings are answered from the constructor on. */
  start(): void {
    this.#options.detector.watch((master) => this.#detected(master));
  }

  get phase(): Phase {
    return this.#state.phase;
  }

  /** Stops registering, for a shutdown of our own; `unregister` tells the master to forget the agent (SIGUSR1). */
  terminate({ unregister = false } = {}): void {
    const { knownId: id } = this.#options.identity;
    if (unregister && id !== undefined && this.#state.phase === "running") {
      const message = create(UnregisterSlaveMessageSchema, { agentId: { value: id } });
      this.#options.process.send(this.#state.master, UnregisterSlaveMessageSchema, message);
    }
    this.#raise({ kind: "terminate" });
  }

  /** Stops everything, the detector too. */
  async close(): Promise<void> {
    this.#cancel();
    this.#options.process.unlink(this.#exited);
    await this.#options.detector.close();
  }

  #install(): void {
    const { process } = this.#options;
    process.install(SlaveRegisteredMessageSchema, (from, message) => {
      this.#answered(from, "registration", message, (duplicate) =>
        this.#options.events.registered(idOf(message.agentId), message, duplicate),
      );
    });
    process.install(SlaveReregisteredMessageSchema, (from, message) => {
      this.#answered(from, "re-registration", message, (duplicate) =>
        this.#options.events.reregistered(message, duplicate),
      );
    });
    process.install(PingSlaveMessageSchema, (from, { connected }) => {
      process.send(from, PongSlaveMessageSchema, create(PongSlaveMessageSchema));
      this.#pinged(from, connected);
    });
    // 0.24 masters have their own names, and count no other answer.
    process.on("PING", (from, body) => {
      process.sendBytes(from, "PONG");
      this.#pinged(from, connectedIn(body));
    });
    process.install(ShutdownMessageSchema, (from, { message }) => {
      this.#shutdownMessage = message;
      this.#raise({ kind: "shutdown", from });
    });
  }

  /** Pings come from an observer beside the master. Others are answered, and mean nothing. */
  #pinged(from: UPID | undefined, connected: boolean): void {
    if (isBesideMaster(from, this.#state.master)) this.#raise({ kind: "ping", connected });
  }

  #answered(
    from: UPID | undefined,
    what: string,
    { agentId, connection }: SlaveRegisteredMessage | SlaveReregisteredMessage,
    announce: (duplicate: boolean) => void,
  ): void {
    const seconds = Math.trunc(connection?.totalPingTimeoutSeconds ?? 0);
    if (this.#options.master.isMaster(from)) this.#pingTimeout = seconds > 0 ? seconds * 1_000 : DEFAULT_PING_TIMEOUT;
    this.#announce = announce;
    const id = idOf(agentId);
    this.#options.log.info(`Master ${formatUPID(from)} answered the ${what}: agent id ${id}`);
    this.#raise({ kind: "answered", from, id, known: this.#options.identity.knownId });
  }

  #detected(master: MasterInfo | undefined): void {
    const { log, events } = this.#options;
    this.#masterInfo = master;
    const pid = parseUPID(master?.pid);
    if (master === undefined) log.warn("No master leads; waiting for one");
    else if (pid === undefined) log.error(`The leading master has no usable address ('${master.pid}'); waiting`);
    else log.info(`Master ${formatUPID(pid)} leads${master.version === "" ? "" : ` (Mesos ${master.version})`}`);
    events.detected(master);
    this.#raise({ kind: "detected", master: pid });
  }

  readonly #exited = (master: UPID, why: string, lived: number | undefined): void => {
    this.#linkFailure = why;
    this.#options.log.warn(
      `${lived === undefined ? "Cannot connect" : "Lost the connection"} to ${formatUPID(master)}: ${why}`,
    );
    this.#raise({ kind: "link-broken", master, lived });
  };

  /** Handles an event, and those that its actions raise, one after the other. */
  #raise(event: RegistrationEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1) return;
    const { backoffFactor, random } = this.#options;
    const hasCredential = this.#authenticatee !== undefined;
    for (let next = this.#events[0]; next !== undefined; next = this.#events[0]) {
      const factor = this.#isFirstMaster(next) ? Math.min(backoffFactor, FIRST_WAIT) : backoffFactor;
      const [state, actions] = decide(this.#state, next, { factor, hasCredential, random });
      this.#state = state;
      this.#options.master.pid = state.master;
      try {
        for (const action of actions) this.#do(action);
      } catch (error) {
        this.#options.log.error(`Registration: handling '${next.kind}' failed: ${messageOf(error)}`);
      }
      this.#events.shift();
    }
  }

  /** Whether the event is the first leader that this process hears of. */
  #isFirstMaster(event: RegistrationEvent): boolean {
    if (this.#sawMaster || event.kind !== "detected" || event.master === undefined) return false;
    this.#sawMaster = true;
    return true;
  }

  #do(action: Action): void {
    const { clock, log, events, process } = this.#options;
    switch (action.do) {
      case "cancel":
        this.#cancel();
        break;
      case "unlink":
        this.#linkFailure = undefined;
        process.unlink(this.#exited);
        break;
      case "wait":
        this.#attemptTimer?.cancel();
        this.#attemptTimer = clock.after(action.milliseconds, () => this.#raise({ kind: "due" }));
        break;
      case "authenticate":
        this.#authenticate();
        break;
      case "register":
        this.#register();
        break;
      case "explain":
        this.#explain(action.attempts);
        break;
      case "announce":
        if (this.#state.master !== undefined) process.link(this.#state.master, this.#exited);
        this.#announce(action.duplicate);
        break;
      case "expect-pings":
        this.#pingTimer?.cancel();
        this.#pingTimer = clock.after(this.#pingTimeout, () => this.#raise({ kind: "ping-timeout" }));
        break;
      case "disconnected":
        log.warn(`Disconnected from the master: ${action.why}. Tasks go on; registering again`);
        events.disconnected(action.why);
        break;
      case "refuse":
        this.#refused(action.refusal);
        break;
      case "shutdown":
        this.#shutDown();
        break;
      case "ignore":
        log.warn(
          `Ignored a message of ${formatUPID(action.from)}: ${action.why}, ${formatUPID(this.#state.master)} ` +
            "(if both are the same master, --master must name the address that it announces itself)",
        );
    }
  }

  #cancel(): void {
    this.#attemptTimer?.cancel();
    this.#pingTimer?.cancel();
    this.#authenticatee?.cancel();
  }

  #link(master: UPID): void {
    this.#linkFailure = undefined;
    this.#options.process.link(master, this.#exited);
  }

  #authenticate(): void {
    const { master } = this.#state;
    if (master === undefined || this.#authenticatee === undefined) return;
    this.#options.log.info(`Authenticating with ${formatUPID(master)}`);
    this.#authenticatee.start(master, (outcome) => {
      if (outcome.kind === "completed") {
        this.#options.log.info(`Authenticated with ${formatUPID(master)}`);
        this.#raise({ kind: "authenticated" });
      } else this.#raise({ kind: "credential-refused" });
    });
  }

  #register(): void {
    const { process, identity, announcements, log, events } = this.#options;
    const { master } = this.#state;
    if (master === undefined) return;
    const outgoing: Outgoing =
      identity.knownId === undefined
        ? { kind: "register", message: announcements.register() }
        : { kind: "reregister", message: announcements.reregister() };
    const problem = registrationProblem(outgoing);
    if (problem !== undefined) {
      this.#raise({ kind: "terminate" });
      events.refused("invalid", `this registration must not be sent: ${problem}`);
      return;
    }
    this.#lastSent = outgoing;
    this.#link(master);
    const { name, bytes } = encoded(outgoing);
    log.verbose(1, `Sending ${name} to ${formatUPID(master)}`);
    process.sendBytes(master, name, bytes);
  }

  #explain(attempts: number): void {
    const { process, log } = this.#options;
    if (this.#state.master === undefined || this.#lastSent === undefined) return;
    log.warn(
      explainSilence({
        master: this.#state.master,
        masterVersion: this.#masterInfo?.version,
        self: process.self,
        attempts,
        hasCredential: this.#authenticatee !== undefined,
        linkFailure: this.#linkFailure,
        sent: this.#lastSent,
      }),
    );
  }

  #shutDown(): void {
    const advice = shutdownAdvice(this.#shutdownMessage);
    this.#options.log.warn(
      `Master ${formatUPID(this.#state.master)} asks this agent to shut down: ` +
        `${this.#shutdownMessage || "no reason given"}${advice === undefined ? "" : `\n  ${advice}`}`,
    );
    this.#options.events.shutdown(this.#shutdownMessage);
  }

  #refused(refusal: Refusal): void {
    const { events, identity } = this.#options;
    const why =
      refusal === "credential"
        ? "the master does not accept the principal and secret of --credential: compare them with its --credentials"
        : `the master answered with another agent id than ours (${identity.knownId}): two agents may share this address or work_dir`;
    events.refused(refusal, why);
  }
}

/** What an old PING says; its body is a PingSlaveMessage, and an unreadable one counts as connected. */
function connectedIn(body: Uint8Array): boolean {
  try {
    return decode(PingSlaveMessageSchema, body).connected;
  } catch {
    return true;
  }
}
