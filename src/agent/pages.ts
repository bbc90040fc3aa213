import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Glog } from "../base/glog.ts";
import { release } from "../base/release.ts";
import { shownFlags } from "../config/echo.ts";
import type { LoadedFlags } from "../config/parse.ts";
import { Origins } from "../http/origins.ts";
import { MESOS_COMMIT, MESOS_VERSION } from "../mesos/version.ts";
import { containersOf, enginesOf, snapshotOf, troublesOf, usageOf, type ViewedAgent } from "./agent-view.ts";
import { type AgentFlagTable, agentFlags } from "./flags/table.ts";
import { AGENT_LOG, type AttachedFiles } from "./http/files/attached.ts";
import { parseRate } from "./http/rate-gate.ts";
import { createAgentHttp } from "./http/server.ts";
import { isExecEnabled } from "./http/sessions/enabled.ts";
import { readStaticFiles } from "./http/static.ts";
import { controlGroupVersions, machineFacts, machineShortage } from "./metrics/machine.ts";
import type { PoolWatch } from "./metrics/pool-watch.ts";
import type { Metrics } from "./metrics/registry.ts";
import { neighboursOf } from "./neighbours.ts";
import type { Permissions } from "./permissions.ts";
import type { ExecutorEndpoint } from "./tasks/executor-api/http-endpoint.ts";

export interface PagesInput {
  readonly flags: LoadedFlags<AgentFlagTable>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly glog: Pick<Glog, "logger" | "verbosity">;
  readonly program: string;
  /** The folder of the node's web page. */
  readonly ui: string;
  readonly viewed: ViewedAgent;
  readonly endpoint: ExecutorEndpoint;
  readonly permissions: Permissions;
  readonly metrics: Metrics;
  readonly files: AttachedFiles;
  readonly pool: Pick<PoolWatch, "trouble">;
}

/** Everything that the agent shows and takes over HTTP. */
export function openPages(input: PagesInput) {
  const { flags, environment, clock, glog, program, viewed, metrics, files } = input;
  const { values } = flags;
  const { access, authorizer, refusals } = input.permissions;
  const rateText = environment["LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT"];
  if (values.log_dir !== undefined) files.attach(join(values.log_dir, `${program}.${values.logging_level}`), AGENT_LOG);
  if (values.external_log_file !== undefined) files.attach(values.external_log_file, AGENT_LOG);
  const ui = readStaticFiles(input.ui);
  if ("problem" in ui) glog.logger.warn(ui.problem);
  return createAgentHttp({
    files,
    ui,
    executors: input.endpoint,
    clock,
    ...{ access, authorizer, refusals },
    log: glog.logger,
    firewall: values.firewall_rules ?? [],
    origins: new Origins(values.http_cors_allowed_origins),
    hosts: [viewed.identity.info.hostname, hostname(), ...values.http_hosts],
    ...(rateText !== undefined && { rate: parseRate(rateText) ?? "none" }),
    view: {
      snapshot: () => snapshotOf(viewed),
      usage: () => usageOf(viewed),
      containers: containersOf(viewed),
      exec: {
        isEnabled: isExecEnabled(values),
        heartbeat: values.http_heartbeat_interval,
        clock,
        log: glog.logger.named("http.cpp"),
      },
      pulling: () => viewed.containerizers.flatMap((containerizer) => containerizer.pulling?.() ?? []),
      flags: shownFlags(agentFlags, flags),
      build: {
        version: MESOS_VERSION,
        gitSha: MESOS_COMMIT,
        gitTag: MESOS_VERSION,
        release: release().version,
        buildTime: release().builtAt,
        buildUser: "mesos-slave",
      },
      logDir: values.log_dir,
      externalLogFile: values.external_log_file,
      metrics: (timeout) => metrics.snapshot(timeout),
      troubles: () => troublesOf(viewed, input.pool),
      log: glog,
      processes: () => viewed.process.ids,
      system: machineFacts,
      shortage: machineShortage,
      workDir: values.work_dir,
      controlGroups: controlGroupVersions(),
      engines: () => enginesOf(viewed),
      neighbours: neighboursOf(environment, clock),
    },
  });
}
