import { closeSync, existsSync, fsyncSync, openSync, writeFileSync, writeSync } from "node:fs";
import { type Clock, every, sleep, type Timer } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { ProcessInfo, Supervisor } from "../supervisor/supervisor.ts";
import { XmlRpcFault } from "../supervisor/xml-rpc.ts";
import { CLEANUP_AFTER_STOP, Cleanup } from "./cleanup.ts";
import type { SupervisorEvent } from "./events.ts";
import { EXIT_UNKNOWN_SERVICE, EXIT_UNREACHABLE, type Options, UsageError } from "./options.ts";
import { fullName, type Verdict, Watch } from "./watch.ts";

/** Files below /run that redpill writes. */
export interface RedpillFiles {
  /** `CODE REASON`: what the container's exit code is to be. */
  readonly verdict: string;
  /** Exists once the clean-up script was started. */
  readonly cleanup: string;
  /** Exists while supervisord ends its services only to begin again (`supervisorctl reload`); its own module makes it. */
  readonly reloading: string;
  /** `SECONDS INTERVAL`: when supervisord last answered, for the HEALTHCHECK. */
  readonly alive: string;
}

export interface RedpillParts {
  readonly options: Options;
  readonly supervisor: Supervisor;
  readonly files: RedpillFiles;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** It is supervisord's event listener: the container's watchdog, not one that somebody runs by hand. */
  readonly isListener: boolean;
  /** Ends supervisord when its socket does not answer any more; absent when redpill is not its child. */
  readonly terminateSupervisor?: () => void;
}

/** Bytes of a failed service's log to look at, and lines of them to show. */
const TAIL_BYTES = 4096;
const TAIL_LINES = 20;
/** supervisord's fault when a log is asked for that is not there. */
const NO_FILE = 20;
/** What the container's watchdog watches when nothing that it was told to watch exists. */
const AGENT = "mesos";

/** The watchdog. `start`, then `event` for each event, `stop` on a signal; `ended` resolves to the exit code. */
export class Redpill {
  readonly ended: Promise<number>;
  readonly #parts: RedpillParts;
  readonly #watch: Watch;
  readonly #cleanup: Cleanup | undefined;
  #end: (code: number) => void = () => undefined;
  #timers: Timer[] = [];
  #deadline: Timer | undefined;
  #stopping = false;
  #judged: Promise<void> | undefined;

  constructor(parts: RedpillParts) {
    this.#parts = parts;
    this.#watch = new Watch(parts.options);
    const { cleanup: script } = parts.options;
    const { clock, log, environment } = parts;
    if (script !== undefined)
      this.#cleanup = new Cleanup({ script, marker: parts.files.cleanup, clock, log, environment });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Looks once, then every interval. Throws a UsageError when supervisord cannot be reached or does not know a service. */
  async start(): Promise<void> {
    const { supervisor, options, clock } = this.#parts;
    const processes = await supervisor.processes().catch((error: unknown) => {
      throw new UsageError(
        EXIT_UNREACHABLE,
        messageOf(error instanceof UserError ? error.message : error),
        (error instanceof UserError ? error.fix : undefined) ?? "is supervisord running?",
      );
    });
    this.#checkNames(processes);
    this.#parts.log(`watching ${options.services.join(", ")} every ${options.interval / 1000} s`);
    this.#timers.push(every(clock, options.interval, () => void this.poll()));
    this.#alive();
    this.#act(this.#watch.poll(processes, clock.monotonic()));
  }

  /**
   * By hand a wrong name is a mistake to correct. The container's own watchdog says so and watches the rest, because without it
   * nobody would.
   */
  #checkNames(processes: readonly ProcessInfo[]): void {
    const { options, log, isListener } = this.#parts;
    const unknown = this.#watch.unknown(processes);
    if (unknown.length === 0) return;
    const known = processes.map(({ group, name }) => fullName(group, name));
    const near = unknown.flatMap((name) => nearest(name, known) ?? []);
    const complaint = `supervisord does not know ${unknown.join(", ")}`;
    const fix = `it knows ${known.join(", ") || "no service"}${near.length > 0 ? `: did you mean ${near.join(", ")}?` : ""}`;
    if (!isListener) throw new UsageError(EXIT_UNKNOWN_SERVICE, complaint, fix);
    log(`SERVICE_REDPILL_MONITOR: ${complaint}; ${fix}`);
    if (unknown.length < options.services.length || !known.includes(AGENT)) return;
    log(`nothing else is left to watch: watching ${AGENT}`);
    this.#watch.add(AGENT);
  }

  /** Returns when the event has been acted on as far as it must be before supervisord hears that it was taken. */
  event(event: SupervisorEvent): void {
    this.#act(this.#watch.event(event, this.#parts.clock.monotonic()));
    this.#armDeadline();
  }

  async poll(): Promise<void> {
    try {
      const processes = await this.#parts.supervisor.processes();
      this.#alive();
      this.#act(this.#watch.poll(processes, this.#parts.clock.monotonic()));
    } catch (error) {
      this.#parts.log(`cannot look: ${messageOf(error)}`);
    }
    this.#armDeadline();
  }

  /** TERM or INT: the container is to stop on purpose. Failures from now on are part of that. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const timer of this.#timers) timer.cancel();
    this.#deadline?.cancel();
    const { files, isListener } = this.#parts;
    // The container goes on, and so does what the clean-up would take down.
    if (isListener && this.#judged === undefined && existsSync(files.reloading)) return this.#end(0);
    await this.#cleanup?.run(CLEANUP_AFTER_STOP, "stopped");
    this.#end(0);
  }

  /** A poll when the patience with an EXITED service ends. */
  #armDeadline(): void {
    this.#deadline?.cancel();
    const at = this.#watch.nextDeadline();
    if (at === undefined || this.#stopping || this.#judged !== undefined) return;
    const { clock } = this.#parts;
    this.#deadline = clock.after(Math.max(at - clock.monotonic(), 100), () => void this.poll());
  }

  #alive(): void {
    const { clock, options, files, log } = this.#parts;
    try {
      writeFileSync(files.alive, `${Math.floor(clock.now() / 1000)} ${options.interval / 1000}\n`);
    } catch (error) {
      log(`cannot write ${files.alive}: ${messageOf(error)}`);
    }
  }

  #act(verdict: Verdict | undefined): void {
    if (verdict === undefined || this.#stopping || this.#judged !== undefined) return;
    // First of all, so that the exit code is right whatever happens to this process from here on.
    this.#write(verdict);
    this.#judged = this.#carryOut(verdict);
  }

  #write(verdict: Verdict): void {
    const { files, log } = this.#parts;
    try {
      const descriptor = openSync(files.verdict, "w", 0o644);
      writeSync(descriptor, `${verdict.code} ${verdict.reason.replaceAll(/\s+/g, " ")}\n`);
      fsyncSync(descriptor);
      closeSync(descriptor);
    } catch (error) {
      log(`cannot write ${files.verdict}, so the exit code will be wrong: ${messageOf(error)}`);
    }
  }

  async #carryOut(verdict: Verdict): Promise<void> {
    const { log, options } = this.#parts;
    const whole = await this.#explained(verdict);
    log(`${whole.reason}: ending the container with exit code ${verdict.code}`);
    await this.#showTail(verdict.service);
    await this.#cleanup?.run(options.cleanupTimeout, verdict.reason);
    await this.#shutDown();
    // supervisord now stops this process too; by hand there is nobody to do that.
    if (this.#parts.terminateSupervisor === undefined) this.#end(verdict.code);
  }

  /** An event does not say why a program could not be started; supervisord knows. */
  async #explained(verdict: Verdict): Promise<Verdict> {
    try {
      const found = (await this.#parts.supervisor.processes()).find(
        ({ group, name }) => fullName(group, name) === verdict.service,
      );
      const why = found?.spawnError ?? "";
      if (why === "" || verdict.reason.includes(why)) return verdict;
      const explained = { ...verdict, reason: `${verdict.reason} (${why})` };
      this.#write(explained);
      return explained;
    } catch {
      // The verdict stands without it, and what follows says that supervisord does not answer.
      return verdict;
    }
  }

  async #showTail(service: string): Promise<void> {
    const { supervisor, log } = this.#parts;
    for (const channel of ["Stdout", "Stderr"] as const) {
      try {
        const lines = (await supervisor.tail(service, channel, TAIL_BYTES)).trimEnd().split("\n").slice(-TAIL_LINES);
        if (lines.join("") !== "") log(`last lines of ${service}'s ${channel.toLowerCase()}:\n  ${lines.join("\n  ")}`);
      } catch (error) {
        // A program that never started has no log.
        if (!(error instanceof XmlRpcFault && error.code === NO_FILE))
          log(`no ${channel.toLowerCase()} of ${service} to show: ${messageOf(error)}`);
      }
    }
  }

  async #shutDown(): Promise<void> {
    const { supervisor, clock, log, terminateSupervisor } = this.#parts;
    for (let attempt = 1; attempt <= 3; attempt++) {
      try {
        return await supervisor.shutdown();
      } catch (error) {
        log(`supervisord does not take the order to stop: ${messageOf(error)}`);
        await sleep(clock, 200);
      }
    }
    terminateSupervisor?.();
  }
}
