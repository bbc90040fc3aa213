import { type Clock, sleep, type Timer } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { AgentFiles } from "../client/files.ts";
import { HttpPeer } from "../client/peer.ts";
import { parseUPID } from "../libprocess/upid.ts";
import { enumName, has } from "../mesos/codec.ts";
import type { Credential } from "../mesos/credential.ts";
import type { MasterDetector } from "../mesos/detector.ts";
import {
  FrameworkInfo_Capability_Type,
  type MasterInfo,
  type Offer,
  TaskState,
  type TaskStatus,
  TaskStatus_ReasonSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type, type Event, Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { isTerminal, stateName } from "../mesos/states.ts";
import { explainLack } from "./lack.ts";
import { Output } from "./output.ts";
import { PATH, Refused, SchedulerClient } from "./scheduler-client.ts";
import type { Work } from "./work.ts";

export interface ExecuteOptions {
  readonly work: Work;
  readonly detector: MasterDetector;
  readonly credential: Credential | undefined;
  readonly checkpoint: boolean;
  /** Milliseconds. */
  readonly timeout: number | undefined;
  readonly killAfter: number | undefined;
  readonly clock: Clock;
  /** A line about what happens. */
  readonly tell: (line: string) => void;
  readonly write: (name: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/** Milliseconds between attempts to reach the master. */
const RETRY = 1000;
/** Seconds of refusal for offers that do not fit, and for everything once the task is launched. */
const NO_FIT = 5;
const NEVER = 365 * 24 * 3600;
/** Milliseconds until it is said that nothing is offered at all. */
const NO_OFFER = 5_000;
/** Milliseconds without a sign of the master after which the stream counts as dead. */
const LONGEST_SILENCE = 75_000;
/** Milliseconds that the end may wait for the last output. */
const LAST_OUTPUT = 10_000;

/** Where a master's HTTP is. */
function addressOfMaster(info: MasterInfo): string {
  const upid = parseUPID(info.pid);
  return upid === undefined ? `${info.address?.ip ?? info.hostname}:${info.port}` : `${upid.ip}:${upid.port}`;
}

/** One run of mesos-execute: one framework with one task or group of them, followed to their end. */
export class Execution {
  readonly #options: ExecuteOptions;
  readonly #ended = Promise.withResolvers<readonly TaskStatus[]>();
  /** The last status of each task that has ended. */
  readonly #last = new Map<string, TaskStatus>();
  readonly #timers = new Set<Timer>();
  #client: SchedulerClient | undefined;
  #frameworkId: string | undefined;
  #agentId: string | undefined;
  #peer: HttpPeer | undefined;
  #files: AgentFiles | undefined;
  readonly #outputs = new Map<string, { readonly output: Output; readonly following: Promise<void> }>();
  #killed = false;
  #over = false;
  #isOffered = false;
  /** What was said last of offers that do not fit. */
  #lack: string | undefined;

  constructor(options: ExecuteOptions) {
    this.#options = options;
  }

  /** Runs the work; whether all of its tasks finished. Throws a UserError for what cannot be mended. */
  async run(): Promise<boolean> {
    const { detector, timeout, tell, clock, work } = this.#options;
    if (timeout !== undefined) this.#after(timeout, () => this.kill(`it took longer than the --timeout`));
    tell(`Looking for an offer with ${formatResources(work.demand)}`);
    detector.watch((master) => {
      if (master !== undefined) void this.#connect(addressOfMaster(master)).catch((error) => this.#fail(error));
      else tell("No master leads at the moment");
    });
    try {
      const statuses = await this.#ended.promise;
      // Everything that a task wrote comes before the word that it ended.
      for (const { output } of this.#outputs.values()) output.finish();
      const following = [...this.#outputs.values()].map((one) => one.following);
      await Promise.race([Promise.all(following), sleep(clock, LAST_OUTPUT)]);
      if (!this.#isGroup) for (const status of statuses) this.#tellStatus(status);
      this.#over = true;
      await this.#teardown();
      return statuses.length > 0 && statuses.every(({ state }) => state === TaskState.TASK_FINISHED);
    } finally {
      this.#over = true;
      for (const timer of this.#timers) timer.cancel();
      await this.#peer?.close();
      await this.#client?.close();
      await detector.close();
    }
  }

  /** Ends the tasks; a second time ends this program without waiting for them. */
  kill(why: string): void {
    const { tell, work } = this.#options;
    if (this.#killed || this.#agentId === undefined) {
      this.#ended.resolve([]);
      if (!this.#killed) tell(`Giving up: ${why}`);
      return;
    }
    this.#killed = true;
    tell(`Killing ${work.words}: ${why}`);
    const agentId = { value: this.#agentId };
    for (const value of work.taskIds.filter((id) => !this.#last.has(id)))
      this.#send({ type: Call_Type.KILL, kill: { taskId: { value }, agentId } });
  }

  get #isGroup(): boolean {
    return this.#options.work.taskIds.length > 1;
  }

  #after(milliseconds: number, callback: () => void): void {
    this.#timers.add(this.#options.clock.after(milliseconds, callback));
  }

  #fail(error: unknown): void {
    this.#ended.reject(error);
  }

  #send(call: Parameters<SchedulerClient["call"]>[0]): void {
    const frameworkId = { value: this.#frameworkId ?? "" };
    this.#client?.call({ ...call, frameworkId }).catch((error: unknown) => {
      if (!this.#over) this.#options.tell(`${enumCall(call.type)} failed: ${messageOf(error)}`);
    });
  }

  async #teardown(): Promise<void> {
    if (this.#frameworkId === undefined) return;
    const call = { type: Call_Type.TEARDOWN, frameworkId: { value: this.#frameworkId } } as const;
    await this.#client?.call(call).catch(() => undefined);
  }

  /** Subscribes, again and again while this master leads. */
  async #connect(address: string): Promise<void> {
    const { clock, tell, credential } = this.#options;
    await this.#client?.close();
    const client = new SchedulerClient(address, credential);
    this.#client = client;
    while (!this.#over && this.#client === client) {
      try {
        await this.#listen(client);
        if (!this.#over && this.#client === client) tell("The master closed the stream: connecting again");
      } catch (error) {
        if (this.#over || this.#client !== client) return;
        if (error instanceof Refused && error.status !== 503) throw await this.#hopeless(client, error);
        tell(`Cannot use the master at ${client.address}: ${messageOf(error)}; trying again`);
      }
      await sleep(clock, RETRY);
    }
  }

  /** A refusal that no second attempt changes, in words that help. */
  async #hopeless(client: SchedulerClient, refusal: Refused): Promise<UserError> {
    const { address } = client;
    if (refusal.status === 404 && (await client.isAgent()))
      return new UserError(`${address} is an agent, not a master`, "give the address of its master, usually port 5050");
    if (refusal.status === 404)
      return new UserError(
        `${address} is no Mesos master: it has no ${PATH}`,
        "give the address of a master, host:port",
      );
    return new UserError(`The master at ${address} refused: ${refusal.message}`, refusalFix(refusal.status));
  }

  async #listen(client: SchedulerClient): Promise<void> {
    const { clock, tell } = this.#options;
    let silence = clock.after(LONGEST_SILENCE, () => void client.close());
    try {
      for await (const event of client.subscribe(this.#subscription())) {
        silence.cancel();
        silence = clock.after(LONGEST_SILENCE, () => {
          tell("The master has been silent for too long");
          void client.close();
        });
        this.#handle(event);
        if (this.#over) return;
      }
    } finally {
      silence.cancel();
    }
  }

  #subscription() {
    const { work, checkpoint, credential } = this.#options;
    const id = this.#frameworkId === undefined ? undefined : { value: this.#frameworkId };
    const gpus = work.demand.scalar("gpus") !== undefined;
    return {
      type: Call_Type.SUBSCRIBE,
      ...(id && { frameworkId: id }),
      subscribe: {
        frameworkInfo: {
          user: work.user,
          name: `mesos-execute ${work.name}`,
          checkpoint,
          role: work.role,
          ...(id && { id }),
          ...(credential && { principal: credential.principal }),
          ...(gpus && { capabilities: [{ type: FrameworkInfo_Capability_Type.GPU_RESOURCES }] }),
        },
      },
    } as const;
  }

  #handle(event: Event): void {
    const { tell, work } = this.#options;
    switch (event.type) {
      case Event_Type.SUBSCRIBED:
        if (this.#frameworkId === undefined) {
          tell(`Subscribed as framework ${event.subscribed?.frameworkId?.value}`);
          this.#after(NO_OFFER, () => this.#sayThatNothingIsOffered());
        }
        this.#frameworkId = event.subscribed?.frameworkId?.value;
        if (this.#agentId !== undefined) {
          const agentId = { value: this.#agentId };
          const tasks = work.taskIds.map((value) => ({ taskId: { value }, agentId }));
          this.#send({ type: Call_Type.RECONCILE, reconcile: { tasks } });
        }
        return;
      case Event_Type.OFFERS:
        this.#offers(event.offers?.offers ?? []);
        return;
      case Event_Type.UPDATE:
        if (event.update?.status) this.#update(event.update.status);
        return;
      case Event_Type.ERROR:
        this.#fail(new UserError(`The master ended the subscription: ${event.error?.message}`));
        return;
      case Event_Type.FAILURE:
        if (event.failure?.agentId?.value === this.#agentId && event.failure?.executorId === undefined)
          tell(`The agent ${this.#agentId} is gone`);
    }
  }

  #sayThatNothingIsOffered(): void {
    const { work, tell } = this.#options;
    if (!this.#isOffered) tell(`No offer yet: has the master agents, with something free for the role '${work.role}'?`);
  }

  #offers(offers: readonly Offer[]): void {
    const { work, tell } = this.#options;
    this.#isOffered = true;
    for (const offer of offers) this.#offer(offer);
    if (this.#agentId !== undefined) return;
    const lack = explainLack(offers, work.demand);
    if (lack !== undefined && lack !== this.#lack) tell(lack);
    this.#lack = lack;
  }

  #offer(offer: Offer): void {
    const { work, tell } = this.#options;
    const offerIds = offer.id === undefined ? [] : [offer.id];
    const operation = this.#agentId === undefined ? work.operation(offer, this.#frameworkId ?? "") : undefined;
    if (operation === undefined) {
      const refuseSeconds = this.#agentId === undefined ? NO_FIT : NEVER;
      this.#send({ type: Call_Type.DECLINE, decline: { offerIds, filters: { refuseSeconds } } });
      return;
    }
    this.#agentId = offer.agentId?.value;
    this.#reach(offer);
    this.#send({
      type: Call_Type.ACCEPT,
      accept: { offerIds, operations: [operation], filters: { refuseSeconds: NEVER } },
    });
    tell(`Submitted ${work.words} to agent ${this.#agentId} (${offer.hostname})`);
  }

  /** The agent's files, where the offer says. */
  #reach({ url }: Offer): void {
    if (url?.address === undefined) return;
    const { ip, hostname, port } = url.address;
    const { credential } = this.#options;
    this.#peer = new HttpPeer({ what: "agent", address: `${ip || hostname}:${port}`, credential });
    this.#files = new AgentFiles(this.#peer, url.path.replace(/^\/+/, "") || "slave(1)");
  }

  #update(status: TaskStatus): void {
    const { work } = this.#options;
    const taskId = status.taskId?.value ?? "";
    if (!work.taskIds.includes(taskId)) return;
    const isLast = isTerminal(status.state);
    // The word that a group's member has ended does not wait for the others.
    if (!isLast || (this.#isGroup && !this.#last.has(taskId))) this.#tellStatus(status);
    if (has(status, "uuid") && status.agentId !== undefined) {
      const acknowledge = { taskId: { value: taskId }, agentId: status.agentId, uuid: status.uuid };
      this.#send({ type: Call_Type.ACKNOWLEDGE, acknowledge });
    }
    if (status.state === TaskState.TASK_RUNNING || isLast) this.#follow(taskId);
    if (!isLast) return;
    this.#outputs.get(taskId)?.output.finish();
    this.#last.set(taskId, status);
    if (this.#last.size === work.taskIds.length) this.#ended.resolve([...this.#last.values()]);
  }

  #tellStatus(status: TaskStatus): void {
    const reason = has(status, "reason") ? ` ${enumName(TaskStatus_ReasonSchema, status.reason)}` : "";
    const message = status.message === "" ? "" : `: ${status.message}`;
    this.#options.tell(`Task '${status.taskId?.value}' is ${stateName(status.state)}${reason}${message}`);
  }

  /** The task has a sandbox: passes its output on, and counts the time it may run. */
  #follow(taskId: string): void {
    const { clock, tell, write, killAfter } = this.#options;
    if (this.#outputs.has(taskId) || this.#files === undefined || this.#frameworkId === undefined) return;
    if (killAfter !== undefined && this.#outputs.size === 0)
      this.#after(killAfter, () => this.kill("it ran as long as --kill_after allows"));
    const [files, frameworkId] = [this.#files, this.#frameworkId];
    const output = new Output({ files, frameworkId, taskId, clock, write, trouble: tell });
    this.#outputs.set(taskId, { output, following: output.follow() });
  }
}

const enumCall = (type: Call_Type): string =>
  Object.entries(Call_Type).find(([, value]) => value === type)?.[0] ?? "call";

function refusalFix(status: number): string | undefined {
  if (status === 401) return "give --principal and --secret as the master knows them";
  if (status === 403) return "this principal may not do that: ask the cluster's operator";
  return undefined;
}
