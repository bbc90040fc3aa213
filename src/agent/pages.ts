import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { keepConnection, readBody, refuseBody } from "../libprocess/bodies.ts";
import { formatUPID } from "../libprocess/upid.ts";
import { Resources } from "../mesos/resources.ts";
import type { Agent } from "./agent.ts";
import type { ExecutorAnswer } from "./executors/http-endpoint.ts";
import type { AttachedFiles } from "./http/files/attached.ts";
import type { HttpHandler } from "./http/server.ts";
import type { AgentSnapshot, ContainerUsage } from "./http/view.ts";
import { countGauges, resourceGauges } from "./metrics/from-model.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { ExecutorRecord } from "./model/records.ts";
import { capabilityNames } from "./registration/capabilities.ts";

/** Bytes of an executor's call; an update with its data, or everything unacknowledged of a thousand tasks, stays below. */
const LARGEST_CALL = 4 * 1024 * 1024;
/** Milliseconds for the figures of one container. */
const USAGE_DEADLINE = 5_000;

/** The agent as its pages show it now. */
export function snapshotOf(agent: Agent): AgentSnapshot {
  const { draining, options } = agent;
  const { process } = options;
  return {
    phase: agent.phase,
    info: agent.info,
    pid: formatUPID(process.self),
    startTime: agent.startedAt,
    capabilities: capabilityNames(),
    total: totalResources(agent),
    masterHostname: masterHostname(agent),
    masterAddress: masterAddress(agent),
    drain: draining.config && { config: draining.config, since: draining.since },
    frameworks: [...agent.book.active.values()],
    completedFrameworks: agent.book.completed,
    operations: agent.operations.pending(),
  };
}

const masterHostname = ({ master }: Agent): string | undefined =>
  master?.hostname || master?.address?.hostname || undefined;

function masterAddress(agent: Agent): string | undefined {
  const host = masterHostname(agent) ?? agent.master?.address?.ip;
  return host === undefined ? undefined : `${host}:${agent.master?.port}`;
}

/** Configured resources, with reservations and volumes in place of what they were carved out of. */
function totalResources(agent: Agent): Resources {
  return agent.reservations.totalOf(Resources.of(agent.options.info.resources));
}

/** Measures every running container; one that cannot be measured in time has no statistics. */
export async function usageOf(agent: Agent): Promise<readonly ContainerUsage[]> {
  const executors = [...agent.book.active.values()].flatMap((framework) => [...framework.executors.values()]);
  return await Promise.all(
    executors.filter(({ state }) => state !== "TERMINATED").map((executor) => measure(agent, executor)),
  );
}

async function measure(agent: Agent, executor: ExecutorRecord): Promise<ContainerUsage> {
  const { containerizer, containerId, info } = executor;
  const within = <T>(work: Promise<T> | undefined): Promise<T | undefined> =>
    new Promise((resolve) => {
      const timer = agent.options.clock.after(USAGE_DEADLINE, () => resolve(undefined));
      Promise.resolve(work)
        .then(resolve, () => resolve(undefined))
        .finally(() => timer.cancel());
    });
  const [statistics, status] = await Promise.all([
    within(containerizer?.usage(containerId)),
    within(containerizer?.status(containerId)),
  ]);
  return {
    frameworkId: executor.frameworkId,
    executorId: executor.executorId,
    executorName: info.name,
    source: info.source,
    containerId,
    statistics,
    status,
  };
}

/** Gauges that are read from the agent's own records. */
export function installGauges(agent: Agent, metrics: Metrics): void {
  const { clock } = agent.options;
  metrics.gauge("slave/uptime_secs", () => (clock.now() - agent.startedAt) / 1000);
  metrics.gauge("slave/registered", () => (agent.phase === "RUNNING" ? 1 : 0));
  metrics.gauge("slave/recovery_time_secs", () => agent.recoverySeconds);
  metrics.gauges(() => countGauges(agent.book.active.values()));
  metrics.gauges(() => resourceGauges(totalResources(agent), agent.book.active.values()));
}

/** What is wrong with parts of the agent, by part. */
export function troublesOf(agent: Agent): ReadonlyMap<string, string> {
  const troubles = new Map<string, string>();
  for (const containerizer of agent.options.containerizers) {
    const trouble = containerizer.trouble();
    if (trouble !== undefined) troubles.set(`containerizer/${containerizer.name}`, trouble);
  }
  const checkpoint = agent.checkpointTrouble;
  if (checkpoint !== undefined) troubles.set("checkpoints", checkpoint);
  return troubles;
}

/** Shows a sandbox under the names that masters and tools use; the function that it returns takes them away again. */
export function attachSandbox(files: AttachedFiles, executor: ExecutorRecord): void {
  const { directory, frameworkId, executorId } = executor;
  files.attach(directory);
  files.attach(directory, join(dirname(directory), "latest"));
  files.attach(directory, `/frameworks/${frameworkId}/executors/${executorId}/runs/latest`);
}

/** A deleted sandbox is no longer shown, under no name. */
export function detachBelow(files: AttachedFiles, path: string): void {
  for (const [virtual, real] of files.entries()) {
    if (real === path || real.startsWith(`${path}/`)) files.detach(virtual);
  }
}

/** `POST /api/v1/executor` as a handler of plain requests: its answer may never end, which the pages' server has no place for. */
export function executorHandler(agent: Agent): HttpHandler {
  return (request, response) => {
    readBody(request, LARGEST_CALL).then(
      (body) => {
        const made = agent.executorEndpoint.handle(callOf(request, body));
        if ("stream" in made || made.isExecutors) keepConnection(request);
        answer(response, made);
      },
      (error: unknown) => refuseBody(request, response, error),
    );
  };
}

const callOf = (request: IncomingMessage, body: Buffer) => ({
  method: request.method ?? "",
  contentType: request.headers["content-type"],
  accept: request.headers.accept,
  peer: request.socket.remoteAddress,
  body,
});

function answer(response: ServerResponse, made: ExecutorAnswer): void {
  if (!("stream" in made)) {
    response.writeHead(made.status, {
      ...(made.allow && { Allow: made.allow }),
      "Content-Type": "text/plain; charset=utf-8",
    });
    response.end(made.body);
    return;
  }
  response.writeHead(200, { "Content-Type": made.contentType });
  response.flushHeaders();
  const broken = made.stream({ write: (record) => void response.write(record), end: () => response.end() });
  response.on("close", broken);
  response.on("error", broken);
}
