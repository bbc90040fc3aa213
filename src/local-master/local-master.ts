import { randomUUID } from "node:crypto";
import { hostname as ownHostname } from "node:os";
import { create } from "@bufbuild/protobuf";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { LoggingLevel, type LogSwitch } from "../base/logging-level.ts";
import { Process } from "../libprocess/process.ts";
import { openReception, type Receptions } from "../libprocess/reception.ts";
import { addressOf, formatUPID } from "../libprocess/upid.ts";
import { MOST_OBJECTS_OF_MASTER } from "../mesos/cost.ts";
import { ReregisterSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { type MasterInfo, MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { Acceptance } from "./acceptance.ts";
import { Agents } from "./agents.ts";
import { Cluster } from "./cluster.ts";
import { Draining } from "./draining.ts";
import { Frameworks } from "./frameworks.ts";
import { LogFile } from "./log-file.ts";
import { Maintenance } from "./maintenance.ts";
import { LARGEST_CALL } from "./negotiation.ts";
import { Offering } from "./offering.ts";
import { OperatorOperations } from "./operations.ts";
import { serveOperatorApi } from "./operator-api.ts";
import { servePages } from "./pages.ts";
import { Quotas } from "./quota.ts";
import { Routes } from "./routes.ts";
import { SchedulerApi } from "./scheduler-api.ts";
import { Updates } from "./updates.ts";

/** An agent that comes back brings all its tasks in one message: bytes of the largest. */
const LARGEST_RETURN = 64 * 1024 ** 2;

const receptions: Receptions = (name) =>
  name === ReregisterSlaveMessageSchema.typeName
    ? { limit: LARGEST_RETURN, objects: MOST_OBJECTS_OF_MASTER }
    : openReception(name);

export interface LocalMasterOptions {
  /** Address to bind; 127.0.0.1 unless given. */
  readonly ip?: string;
  /** 5050 unless given; 0 is any free one. */
  readonly port?: number;
  /** What agents and schedulers are told to dial; the bound address unless given. */
  readonly advertiseIp?: string;
  readonly hostname?: string;
  readonly log?: Logger;
  /** How verbose the log is; SET_LOGGING_LEVEL changes it for a while. */
  readonly verbosity?: LogSwitch;
  /** Where the log is written to, for READ_FILE of `/master/log`. */
  readonly logFile?: string;
  readonly clock?: Clock;
  /** The release that it says it is, and as which it speaks to agents; ours unless given. */
  readonly version?: string;
  /** Milliseconds between pings to agents; 15 s unless given. */
  readonly pingInterval?: number;
  /** Pings that may go unanswered before an agent is unreachable; 5 unless given. */
  readonly maximumMissedPings?: number;
}

/** Milliseconds between offers to those whose refusals have run out. */
const OFFER_INTERVAL = 1000;

interface Running {
  readonly process: Process;
  readonly cluster: Cluster;
  readonly stopTimers: () => void;
}

/** An IPv4 address as MasterInfo.ip holds it: its four bytes read as a little-endian number. */
export function ipNumber(ip: string): number {
  const bytes = ip.split(".").map(Number);
  return bytes.length === 4 && bytes.every((byte) => byte >= 0 && byte <= 255) ? Buffer.from(bytes).readUInt32LE() : 0;
}

function masterInfoOf({ self }: Process, id: string, hostname: string, version: string): MasterInfo {
  return create(MasterInfoSchema, {
    id,
    ip: ipNumber(self.ip),
    port: self.port,
    pid: formatUPID(self),
    hostname,
    version,
    address: { hostname, ip: self.ip, port: self.port },
  });
}

/**
 * The development master: agents over libprocess, schedulers over the v1 HTTP API, one port. No authentication, no
 * registry: it keeps nothing when it stops, and takes back agents and frameworks that come to a new one.
 * Several can run in one program.
 */
export class LocalMaster {
  readonly #options: LocalMasterOptions;
  #running: Running | undefined;

  constructor(options: LocalMasterOptions = {}) {
    this.#options = options;
  }

  /** `http://host:port` of the running master. Throws when it does not run. */
  get url(): string {
    return `http://${this.address}`;
  }

  /** `host:port`, as `--master` takes it. Throws when it does not run. */
  get address(): string {
    return addressOf(this.#live.process.self);
  }

  /** What a detector would tell. Throws when it does not run. */
  get masterInfo(): MasterInfo {
    return this.#live.cluster.context.masterInfo;
  }

  get #live(): Running {
    if (this.#running === undefined) throw new Error("the master does not run");
    return this.#running;
  }

  /** Binds and serves. Throws a UserError when the address is not to be had. */
  async start(): Promise<void> {
    const { ip = "127.0.0.1", port = 5050, clock = systemClock, log = silentLogger } = this.#options;
    const advertise = this.#options.advertiseIp ?? ip;
    const process = await Process.start({ id: "master", bind: { ip, port }, advertise: { ip: advertise }, log, clock });
    process.receive(receptions);
    const { hostname = advertise, version = MESOS_VERSION } = this.#options;
    const masterInfo = masterInfoOf(process, randomUUID(), hostname, version);
    const cluster = new Cluster({ process, clock, log, masterInfo });
    const { routes, draining, logging } = this.#serve(cluster);
    process.http(routes.handler(log.named("http"), [this.#options.hostname ?? "", ownHostname()]));
    let timer = clock.after(OFFER_INTERVAL, function tick() {
      timer = clock.after(OFFER_INTERVAL, tick);
      cluster.offerNow();
      draining.finish();
    });
    const stopTimers = (): void => {
      timer.cancel();
      logging.close();
    };
    this.#running = { process, cluster, stopTimers };
    log.info(
      `Development master ${masterInfo.id} at ${this.url}: for development only, it forgets everything when it stops`,
    );
  }

  #serve(cluster: Cluster): { readonly routes: Routes; readonly draining: Draining; readonly logging: LoggingLevel } {
    const { clock, log } = cluster.context;
    const frameworks: { current?: Frameworks } = {};
    const agents = new Agents(cluster, {
      pingInterval: this.#options.pingInterval ?? 15_000,
      maximumMissed: this.#options.maximumMissedPings ?? 5,
      recoverFramework: (info) => frameworks.current?.recover(info),
      isCompleted: (id) => frameworks.current?.isCompleted(id) ?? false,
    });
    const offering = new Offering(cluster);
    const updates = new Updates(cluster, agents);
    const draining = new Draining(cluster, agents);
    const acceptance = new Acceptance(cluster, agents, offering);
    frameworks.current = new Frameworks({ cluster, offering, acceptance, updates });
    const routes = new Routes(LARGEST_CALL);
    const paths = ["/api/v1/scheduler", "/master/api/v1/scheduler"];
    new SchedulerApi(routes, paths, { cluster, frameworks: frameworks.current, clock, log });
    const flags = { ip: cluster.context.process.self.ip, port: String(cluster.context.process.self.port) };
    const facts = { started: clock.now(), flags };
    const operations = new OperatorOperations(cluster, agents);
    const quotas = new Quotas(cluster);
    const maintenance = new Maintenance(cluster, agents);
    const logging = new LoggingLevel(this.#options.verbosity ?? { verbosity: 0 }, clock);
    const logFile = new LogFile(this.#options.logFile);
    const parts = { draining, operations, quotas, maintenance, logging, logFile };
    serveOperatorApi(routes, { cluster, frameworks: frameworks.current, ...parts, facts });
    servePages(routes, cluster, frameworks.current, facts);
    return { routes, draining, logging };
  }

  /** Ends every connection and forgets everything. Idempotent. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.stopTimers();
    running.cluster.stop();
    await running.process.close();
  }
}
