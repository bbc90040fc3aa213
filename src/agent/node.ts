import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../base/clock.ts";
import type { Glog } from "../base/glog.ts";
import type { Logger } from "../base/log.ts";
import { shownFlags } from "../config/echo.ts";
import { type LoadedFlags, originOf } from "../config/parse.ts";
import { readOwnContainerId } from "../docker/own-container.ts";
import { Process } from "../libprocess/process.ts";
import { createTls } from "../libprocess/tls.ts";
import { readTlsSettings } from "../libprocess/tls-settings.ts";
import { attributeText, parseAttributes } from "../mesos/attributes.ts";
import { type AgentInfo, AgentInfoSchema, DomainInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { fromJson } from "../mesos/json.ts";
import type { Json } from "../mesos/json-text.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { createDetector } from "../zookeeper/detector.ts";
import { gatherAddressFacts, reverseName } from "./address/gather.ts";
import { type AddressFacts, type Given, planAddress, planHostname } from "./address/plan.ts";
import { Agent } from "./agent.ts";
import {
  attachSandbox,
  detachBelow,
  executorHandler,
  installGauges,
  snapshotOf,
  troublesOf,
  usageOf,
} from "./agent-view.ts";
import { type AgentFlagTable, agentFlags } from "./flags/table.ts";
import { GarbageCollector } from "./gc/collector.ts";
import { openToAll, parseHttpCredentials } from "./http/access.ts";
import { AttachedFiles } from "./http/files/attached.ts";
import { parseRate } from "./http/rate-gate.ts";
import { createAgentHttp } from "./http/server.ts";
import { readStaticFiles, staticHandler } from "./http/static.ts";
import { endTasks } from "./leaving.ts";
import { assemble } from "./machine.ts";
import { parseCredential } from "./master/credential.ts";
import { machineFacts, measureMachine } from "./metrics/machine.ts";
import { Metrics } from "./metrics/registry.ts";
import { checkpointFiles } from "./model/files.ts";
import { readContainerLimits } from "./resources/container-limits.ts";
import { planResources } from "./resources/detect.ts";
import { measureMachineSize, readSystemFile } from "./resources/machine.ts";
import { healthWatch } from "./tasks/health-watch.ts";

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
  /** Lets go: tasks of frameworks that checkpoint run on, unless `everything` is to end. */
  close(options: { readonly everything: boolean }): Promise<void>;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** Starts everything that is an agent, from its flags to its first look for a master. Throws a UserError that names the fix. */
export async function startAgent(input: NodeInput): Promise<AgentNode> {
  const { flags, environment, clock, glog, isRoot } = input;
  const { values } = flags;
  const log = glog.logger.named("slave.cpp");
  const facts = await addressFacts(input);
  const { process, info } = await open(input, facts, log);
  const metrics = new Metrics(clock);
  measureMachine(metrics);
  const files = new AttachedFiles();
  let agent: Agent | undefined;
  const rooms = await assemble({
    ...input,
    flags: values,
    log: glog.logger,
    agentId: () => agent?.agentId ?? "",
    ownContainerId: await readOwnContainerId(),
  });
  const collector = buildCollector(input, files, log);
  const health = healthWatch(clock, log);
  const credential =
    values.credential === undefined
      ? undefined
      : parseCredential(readFileSync(values.credential, "utf8"), values.credential);
  agent = new Agent({
    flags: values,
    environment,
    process,
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
    info,
    isRoot,
    isSecured: readTlsSettings(environment) !== undefined,
    bootId: readFileSync(BOOT_ID, "utf8").trim(),
    containerizers: rooms.containerizers,
    createSandbox: rooms.createSandbox,
    gc: {
      schedule: (path) => collector.schedule(path, values.gc_delay),
      scheduleByAge: (path) => void collector.scheduleByAge(path),
      unschedule: (path) => collector.unschedule(path),
    },
    health: health.watch,
    attach: (executor) => attachSandbox(files, executor),
    ended: input.ended,
  });
  const running = agent;
  installGauges(running, metrics);
  metrics.figures(rooms.figures);
  metrics.figures(() => collectorFigures(collector));
  const http = await openPages(input, running, metrics, files);
  process.http(http.handler);
  log.info(`Mesos agent started on (1)@${process.self.ip}:${process.self.port}`);
  await running.start();
  return {
    agent: running,
    address: { ip: process.self.ip, port: process.self.port },
    close: async (options) => {
      running.frameworks.close();
      collector.close();
      rooms.close();
      await endTasks(running, options);
      await running.close();
      await http.close();
      await health.close();
    },
  };
}

/** A setting with the name under which it was given. */
function given<T>(input: NodeInput, name: keyof AgentFlagTable & string, value: T | undefined): Given<T> | undefined {
  if (value === undefined) return undefined;
  return { value, from: originOf(input.flags, name).written };
}

async function addressFacts(input: NodeInput): Promise<AddressFacts> {
  const { values } = input.flags;
  return await gatherAddressFacts({
    ip: given(input, "ip", values.ip),
    ipDiscoveryCommand: given(input, "ip_discovery_command", values.ip_discovery_command),
    port: given(input, "port", values.port) ?? { value: 5051, from: "default" },
    advertiseIp: given(input, "advertise_ip", values.advertise_ip),
    advertisePort: given(input, "advertise_port", values.advertise_port),
    hostname: given(input, "hostname", values.hostname),
    hostnameLookup: values.hostname_lookup,
    master: values.master ?? "",
    environment: input.environment,
  });
}

/** Binds the port and says who this agent is. */
async function open(
  input: NodeInput,
  facts: AddressFacts,
  log: Logger,
): Promise<{ process: Process; info: AgentInfo }> {
  const { clock, environment, flags, glog } = input;
  const { values } = flags;
  const address = planAddress(facts);
  for (const line of address.lines) log.info(line);
  for (const warning of address.warnings) log.warn(warning);
  const settings = readTlsSettings(environment);
  const tls = settings === undefined ? undefined : await createTls(settings, { clock, log, source: address.bind.ip });
  const process = await Process.start({
    id: "slave(1)",
    ...address,
    log: glog.logger.named("process.cpp"),
    clock,
    tls,
  });
  const name = planHostname(facts, process.self.ip, await reverseName(process.self.ip));
  const { work_dir: workDir } = values;
  const offered = planResources({
    given: values.resources,
    defaultRole: values.default_role,
    machine: measureMachineSize(workDir),
    limits: readContainerLimits(readSystemFile),
    ignoreLimits: values.detect_host_resources,
  });
  for (const line of [...offered.lines, name.line]) log.info(line);
  for (const warning of offered.warnings) log.warn(warning);
  const attributes = parseAttributes(values.attributes ?? "");
  log.info(
    `Agent attributes: [ ${attributes.map((attribute) => `${attribute.name}=${attributeText(attribute)}`).join(", ")} ]`,
  );
  const info = create(AgentInfoSchema, {
    hostname: name.hostname,
    port: process.self.port,
    checkpoint: true,
    resources: offered.resources,
    attributes,
    ...(values.domain !== undefined && { domain: fromJson(DomainInfoSchema, values.domain as unknown as Json) }),
  });
  return { process, info };
}

function buildCollector({ flags, clock }: NodeInput, files: AttachedFiles, log: Logger): GarbageCollector {
  const { values } = flags;
  return new GarbageCollector({
    clock,
    log: log.named("gc.cpp"),
    workDir: values.work_dir,
    delay: values.gc_delay,
    headroom: values.gc_disk_headroom,
    interval: values.disk_watch_interval,
    dryRun: values.gc_dry_run,
    removed: (path) => detachBelow(files, path),
  });
}

/** Figures of the garbage collection, by the names of the metrics. */
function* collectorFigures({ figures: gc }: GarbageCollector): Generator<readonly [string, number]> {
  yield ["gc/path_removals_succeeded", gc.path_removals_succeeded];
  yield ["gc/path_removals_failed", gc.path_removals_failed];
  yield ["gc/path_removals_pending", gc.path_removals_pending];
  yield ["slave/executor_directory_max_allowed_age_secs", gc.max_allowed_age_secs];
}

async function openPages(input: NodeInput, agent: Agent, metrics: Metrics, files: AttachedFiles) {
  const { flags, environment, clock, glog, program } = input;
  const { values } = flags;
  const rateText = environment["LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT"];
  if (values.log_dir !== undefined)
    files.attach(join(values.log_dir, `${program}.${values.logging_level}`), "/slave/log");
  if (values.external_log_file !== undefined) files.attach(values.external_log_file, "/slave/log");
  const access =
    values.http_credentials === undefined
      ? openToAll
      : {
          realms: { readonly: values.authenticate_http_readonly, readwrite: values.authenticate_http_readwrite },
          digests: parseHttpCredentials(readFileSync(values.http_credentials, "utf8")),
        };
  const rules = values.firewall_rules as { disabled_endpoints?: { paths?: string[] } } | undefined;
  const ui = readStaticFiles(input.ui);
  if ("problem" in ui) glog.logger.warn(ui.problem);
  const page = staticHandler(ui);
  return await createAgentHttp({
    files,
    clock,
    access,
    log: glog.logger,
    firewall: rules?.disabled_endpoints?.paths ?? [],
    ...(rateText !== undefined && { rate: parseRate(rateText) ?? "none" }),
    mounts: { "/slave(1)/api/v1/executor": executorHandler(agent), "/slave(1)": page, "/slave(1)/ui/": page },
    view: {
      snapshot: () => snapshotOf(agent),
      usage: () => usageOf(agent),
      flags: shownFlags(agentFlags, flags),
      build: { version: MESOS_VERSION, buildTime: agent.startedAt, buildUser: "mesos-slave" },
      logDir: values.log_dir,
      externalLogFile: values.external_log_file,
      metrics: (timeout) => metrics.snapshot(timeout),
      prometheus: () => metrics.prometheus(),
      troubles: () => troublesOf(agent),
      log: glog,
      processes: () => agent.options.process.ids,
      system: machineFacts,
    },
  });
}
