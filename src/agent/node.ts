import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Barrier } from "../base/barrier.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Glog } from "../base/glog.ts";
import type { Logger } from "../base/log.ts";
import { Signal } from "../base/signal.ts";
import type { LoadedFlags } from "../config/parse.ts";
import { readOwnContainerId } from "../docker/own-container.ts";
import type { Process } from "../libprocess/process.ts";
import { readTlsSettings } from "../libprocess/tls-settings.ts";
import { parseUPID, sameUPID } from "../libprocess/upid.ts";
import type { Credential } from "../mesos/credential.ts";
import type { MasterDetector } from "../mesos/detector.ts";
import { Resources } from "../mesos/resources.ts";
import { createDetector } from "../zookeeper/detector.ts";
import { Agent } from "./agent.ts";
import { installGauges, type ViewedAgent } from "./agent-view.ts";
import { LaunchPermission } from "./authorization/launch-permission.ts";
import { bind } from "./bind.ts";
import { CheckpointStore } from "./checkpoint/store.ts";
import { readDefaultContainer } from "./flags/default-container.ts";
import type { AgentFlags, AgentFlagTable } from "./flags/table.ts";
import { GarbageCollector } from "./gc/collector.ts";
import { AttachedFiles } from "./http/files/attached.ts";
import { AttachedSandboxes } from "./http/files/shown.ts";
import { assemble } from "./machine.ts";
import { CredentialFile } from "./master/credential-file.ts";
import { installInbox } from "./master/inbox.ts";
import { LeadingMaster } from "./master/leading-master.ts";
import { MasterLink } from "./master/link.ts";
import { askMasterVersion } from "./master/master-version.ts";
import { Announcements, Outbox } from "./master/outbox.ts";
import { Registration } from "./master/registration.ts";
import { measureMachine } from "./metrics/machine.ts";
import { PoolWatch } from "./metrics/pool-watch.ts";
import { Metrics } from "./metrics/registry.ts";
import type { Containerizer } from "./model/container.ts";
import { type CheckpointFiles, checkpointFiles } from "./model/files.ts";
import type { GarbageCollection } from "./model/garbage-collection.ts";
import { Identity } from "./model/identity.ts";
import { MasterChannel } from "./model/master-channel.ts";
import { Paths } from "./model/paths.ts";
import { certificateProblem, receptionsOf } from "./model/senders.ts";
import { Operations, OperationTable } from "./operations/operations.ts";
import { openPages } from "./pages.ts";
import { Permissions } from "./permissions.ts";
import { Recovery } from "./recovery/recover.ts";
import { Reservations } from "./reservations/reservations.ts";
import { StatusUpdates } from "./status-updates/streams.ts";
import { Draining, DrainOrder } from "./tasks/draining.ts";
import { Drivers } from "./tasks/drivers/driver.ts";
import { ExecutorEndpoint } from "./tasks/executor-api/http-endpoint.ts";
import { FrameworkMessages } from "./tasks/framework-messages.ts";
import { Frameworks, type FrameworksOptions } from "./tasks/frameworks.ts";
import { HealthWatch } from "./tasks/health-watch.ts";
import { LaunchRunner } from "./tasks/launch.ts";
import { endTasks } from "./tasks/leaving.ts";
import { FrameworkRegistry } from "./tasks/registry.ts";
import { ResourceFacts } from "./tasks/resource-facts.ts";
import { type LaunchStagesOptions, launchStages } from "./tasks/stages/list.ts";
import { StatusIntake } from "./tasks/statuses.ts";
import { TaskEnvironment } from "./tasks/task-environment.ts";
import { TaskUsers } from "./tasks/task-users.ts";

export interface NodeInput {
  readonly flags: LoadedFlags<AgentFlagTable>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly architecture: string;
  readonly pid: number;
  readonly isRoot: boolean;
  readonly program: string;
  readonly glog: Glog;
  readonly clock: Clock;
  /** The folder of the node's web page. */
  readonly ui: string;
  /** Where the embedded master listens, with --master=local. */
  readonly master?: string;
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

/** A running agent with its pages. */
export interface AgentNode {
  readonly agent: Agent;
  /** What the master is told to dial. */
  readonly address: { readonly ip: string; readonly port: number };
  /** Reads rules, passwords and the credential for the master again from their files. */
  reload(): void;
  /** Lets go: tasks of frameworks that checkpoint run on, unless `everything` is to end. */
  close(options: { readonly everything: boolean }): Promise<void>;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Starts everything that is an agent, from its flags to its first look for a master. Throws a UserError that names the fix. */
export async function startAgent(input: NodeInput): Promise<AgentNode> {
  const { flags, environment, clock, glog } = input;
  const { values } = flags;
  const { process, info } = await bind({ ...input, log: glog.logger });
  const identity = new Identity(info, clock.now());
  const metrics = new Metrics(clock);
  measureMachine(metrics);
  const files = new AttachedFiles();
  const gc = buildCollector(input, files);
  const machine = await assemble({
    ...input,
    flags: values,
    log: glog.logger,
    identity,
    ownContainerId: await readOwnContainerId(),
    gc,
  });
  const health = new HealthWatch(clock, glog.logger.named("slave.cpp"));
  const credential = values.credential === undefined ? undefined : new CredentialFile(values.credential, glog.logger);
  const { viewed, agent, frameworks, endpoint, permissions } = composeAgent({
    flags: values,
    environment,
    process,
    identity,
    clock,
    log: glog.logger,
    metrics,
    credential,
    random: Math.random,
    detector: await createDetector(input.master ?? values.master ?? "", {
      clock,
      log: glog.logger.named("detector.cpp"),
      sessionTimeout: values.zk_session_timeout,
    }),
    files: checkpointFiles,
    isRoot: input.isRoot,
    isSecured: readTlsSettings(environment) !== undefined,
    bootId: readFileSync(BOOT_ID, "utf8").trim(),
    containerizers: machine.containerizers,
    sandboxes: machine.sandboxes,
    fetcher: machine.fetcher,
    gc,
    health,
    shown: new AttachedSandboxes(files),
    ended: input.ended,
  });
  const pool = new PoolWatch(clock);
  installGauges(viewed, metrics);
  metrics.figures(machine.figures);
  metrics.figures(() => collectorFigures(gc));
  const http = openPages({ ...input, viewed, endpoint, permissions, metrics, files, pool });
  process.http(http.handler);
  glog.logger.named("slave.cpp").info(`Mesos agent started on (1)@${process.self.ip}:${process.self.port}`);
  await agent.start();
  return {
    agent,
    address: { ip: process.self.ip, port: process.self.port },
    reload: () => permissions.reload(flags.origins.get("acls")?.file, credential),
    close: async (options) => {
      frameworks.stopAccepting();
      gc.close();
      await endTasks({ ...viewed, log: glog.logger.named("slave.cpp") }, options);
      await agent.close();
      http.close();
      await health.close();
      pool.close();
    },
  };
}

/** What an agent is made of; what is not here it makes itself. */
export interface AgentInput {
  readonly flags: AgentFlags;
  /** The agent's environment, of which tasks get very little. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly process: Process;
  readonly identity: Identity;
  readonly detector: MasterDetector;
  readonly credential: Credential | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly files: CheckpointFiles;
  readonly isRoot: boolean;
  /** Peers are spoken to by TLS: a master's plain pages are not there. */
  readonly isSecured: boolean;
  /** The kernel's boot id: another one means that the machine was rebooted. */
  readonly bootId: string;
  readonly metrics: Metrics;
  readonly containerizers: readonly Containerizer[];
  readonly gc: GarbageCollection;
  readonly health: FrameworksOptions["health"];
  readonly sandboxes: LaunchStagesOptions["sandboxes"];
  readonly shown: LaunchStagesOptions["shown"];
  readonly fetcher: LaunchStagesOptions["fetcher"];
  /** The agent is done: 0 after a shutdown that was asked for, 1 when it cannot go on. */
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

export interface ComposedAgent {
  readonly agent: Agent;
  readonly viewed: ViewedAgent;
  readonly frameworks: Frameworks;
  /** `POST /api/v1/executor` */
  readonly endpoint: ExecutorEndpoint;
  readonly permissions: Permissions;
}

/** Makes the parts of an agent and hands them to each other, each after those that it needs. */
export function composeAgent(input: AgentInput): ComposedAgent {
  const { clock, flags, files, process, identity, metrics, ended } = input;
  const log = input.log.named("slave.cpp");
  const common = { ...input, log, defaultContainer: readDefaultContainer(flags.default_container_info) };
  const paths = new Paths(flags.work_dir);
  const store = new CheckpointStore(files, paths);
  const master = new MasterChannel(process, log);
  const settled = new Signal();
  const drain = new DrainOrder();
  const registry = new FrameworkRegistry({
    frameworks: 50,
    executorsPerFramework: flags.max_completed_executors_per_framework,
    tasksPerExecutor: 200,
  });
  const permissions = new Permissions({ ...input, registry });
  const permission = new LaunchPermission(permissions.authorizer, permissions.refusals);
  const updates = new StatusUpdates({
    clock,
    files,
    log: input.log.named("status_update_manager.cpp"),
    outbox: new Outbox({ process, log, master, registry }),
  });
  const table = new OperationTable();
  const configured = Resources.of(identity.info.resources);
  const reservations = new Reservations({ paths, log: input.log, configured, store, operations: table });
  const operations = new Operations({
    clock,
    log: input.log.named("operation.cpp"),
    files,
    paths,
    identity,
    master,
    reservations,
    table,
    settled,
    removeFolder: (path) => rm(path, { recursive: true, force: true }),
    failed: (why) => ended(1, why),
  });
  const ip = process.self.ip;
  const statuses = new StatusIntake({ clock, log, identity, ip, drain, paths, updates, metrics });
  const users = new TaskUsers(flags, input.isRoot);
  const runner = new LaunchRunner({
    ...common,
    users,
    stages: launchStages({
      ...{
        ...common,
        store,
        paths,
        environment: new TaskEnvironment({ ...input, tokens: permissions.tokens }),
        cfs: flags.cgroups_enable_cfs,
      },
    }),
  });
  const resources = new ResourceFacts(identity, reservations);
  const frameworks = new Frameworks({
    ...common,
    ...{ ip, master, registry, statuses, updates, store, paths, drain, resources, runner, settled, permission },
  });
  const draining = new Draining({ clock, log, order: drain, identity, store, registry, operations, frameworks });
  const messages = new FrameworkMessages({ process, log, master, registry, controls: frameworks.controls });
  const executors = {
    ...{ ...common, events: frameworks, executors: frameworks.processes },
    ...{ registry, store, statuses, messages },
  };
  const drivers = new Drivers(executors);
  const gate = new Barrier((error) => log.error(`Handling a message of the master failed: ${messageOf(error)}`));
  const leading = new LeadingMaster({
    log,
    master,
    ask: async (info) => (input.isSecured ? undefined : await askMasterVersion(info)),
  });
  const link = new MasterLink({
    ...{ log, identity, master, leading, gate, store, paths, updates, operations, frameworks, ended },
  });
  const registration = new Registration({
    ...common,
    master,
    backoffFactor: flags.registration_backoff_factor,
    authentication: {
      minimum: flags.authentication_timeout_min,
      maximum: flags.authentication_timeout_max,
      factor: flags.authentication_backoff_factor,
    },
    announcements: new Announcements({ identity, registry, reservations }),
    events: link,
  });
  const recovery = new Recovery({
    ...common,
    ...{ paths, store, registry, updates, draining, frameworks, drivers, users, runner, reservations, operations },
  });
  const agent = new Agent({
    ...common,
    ...{ master, registration, frameworks, draining, updates, operations, recovery, store, paths },
  });
  settled.on(() => agent.settled());
  link.shutdownAsked.on((message) => agent.shutdown(`the master asked for it: ${message}`));
  process.receive(
    receptionsOf({
      master: () => master.pid,
      masterConnectionProblem: (peer) =>
        flags.require_master_certificate
          ? certificateProblem(peer, [master.pid?.ip, master.info?.hostname, master.info?.address?.hostname])
          : undefined,
      isScheduler: (from) => [...registry.active.values()].some(({ pid }) => sameUPID(from, parseUPID(pid))),
      isExecutor: (from) => drivers.knows(from),
    }),
  );
  installInbox({
    ...{ ...common, master, gate, frameworks, operations, reservations, updates, draining, messages },
  });
  return {
    agent,
    frameworks,
    viewed: { ...common, agent, master, registry, reservations, operations, updates, drain },
    endpoint: new ExecutorEndpoint({ ...executors, refusals: permissions.refusals }),
    permissions,
  };
}

function buildCollector({ flags, clock, glog }: NodeInput, files: AttachedFiles): GarbageCollector {
  const { values } = flags;
  return new GarbageCollector({
    clock,
    log: glog.logger.named("gc.cpp"),
    workDir: values.work_dir,
    delay: values.gc_delay,
    headroom: values.gc_disk_headroom,
    interval: values.disk_watch_interval,
    dryRun: values.gc_dry_run,
    removed: (path) => files.detachBelow(path),
  });
}

/** Figures of the garbage collection, by the names of the metrics. */
function* collectorFigures({ figures: gc }: GarbageCollector): Generator<readonly [string, number]> {
  yield ["gc/path_removals_succeeded", gc.path_removals_succeeded];
  yield ["gc/path_removals_failed", gc.path_removals_failed];
  yield ["gc/path_removals_pending", gc.path_removals_pending];
  yield ["resource_provider_manager/subscribed", 0];
  yield ["slave/executor_directory_max_allowed_age_secs", gc.max_allowed_age_secs];
}
