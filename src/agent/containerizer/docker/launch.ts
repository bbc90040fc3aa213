import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, isAbsolute, normalize } from "node:path";
import { Backoff } from "../../../base/backoff.ts";
import { sleep } from "../../../base/clock.ts";
import { messageOf, UserError } from "../../../base/errors.ts";
import type { ContainerDetails, Engine } from "../../../docker/engine.ts";
import { isConflict, isEngineError, isNotFound } from "../../../docker/errors.ts";
import type { ImagePulls } from "../../../docker/pulls.ts";
import { expandFiles } from "../../../docker/run-options/run-options.ts";
import { TaskState, TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerSpec } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import { HeldFolder } from "../../model/held/folder.ts";
import { boundSources, makeBoundFolders } from "./bound-folders.ts";
import { registryAuth } from "./credentials.ts";
import { containerName, label } from "./identity.ts";
import type { ImageCollector } from "./image-collection.ts";
import { dockerInfoOf, type LaunchPlan, launchPlan } from "./launch-plan.ts";
import { type DockerContainerizerOptions, defaults } from "./options.ts";
import type { ContainerOutput } from "./output.ts";
import { scalarOf } from "./resource-settings.ts";

export interface LaunchTools {
  readonly options: DockerContainerizerOptions;
  readonly engine: Engine;
  readonly pulls: ImagePulls;
  readonly collector: ImageCollector | undefined;
  readonly agentKey: string;
  /** A daemon has answered this agent, or one before it: when it is away it may come back. */
  readonly isDaemonKnown: () => boolean;
  /** Bytes of the daemon's host; 0 while it is not known. */
  readonly hostMemory: () => Promise<number>;
  readonly openOutput: (details: { id: string; tty: boolean; attach: boolean }) => Promise<ContainerOutput>;
  /** Throws a TaskFailure when the daemon does not see the sandboxes. */
  readonly checkSandbox: (engineId: string) => Promise<void>;
}

export interface Launched {
  readonly plan: LaunchPlan;
  readonly details: ContainerDetails;
  readonly output: ContainerOutput;
}

const KILLED_WHILE = {
  preparing: "Container destroyed while preparing",
  pulling: "Container destroyed while pulling image",
  starting: "Container destroyed while starting",
} as const;
type Phase = keyof typeof KILLED_WHILE;

/**
 * A container from its spec to a running process: plan, create (pull what is missing), start. Rejects with a TaskFailure, with
 * nothing left at the daemon; when `signal` aborts before it runs, with TASK_KILLED.
 */
export async function launch(spec: ContainerSpec, tools: LaunchTools, signal: AbortSignal): Promise<Launched> {
  let phase: Phase = "preparing";
  try {
    const plan = await prepare(spec, tools);
    for (const warning of plan.warnings) tools.options.log.warn(`Container ${spec.containerId}: ${warning}`);
    signal.throwIfAborted();
    const work = async (): Promise<Launched> => {
      const id = await createFromImage(spec, plan, tools, signal, (entered) => {
        phase = entered;
      });
      return { plan, ...(await start(id, spec, plan, tools, signal)) };
    };
    return await (tools.collector?.protect(plan.image, work) ?? work());
  } catch (error) {
    throw toFailure(error, phase, signal);
  }
}

/** Rejects with the TaskFailure of a container that cannot be asked for. Files that parameters name may still be fetched. */
export async function checkSpec(spec: ContainerSpec, tools: LaunchTools): Promise<void> {
  try {
    await prepare(spec, tools, async () => "");
  } catch (error) {
    throw toFailure(error, "preparing", new AbortController().signal);
  }
}

function toFailure(error: unknown, phase: Phase, signal: AbortSignal): TaskFailure {
  if (signal.aborted) {
    if (signal.reason instanceof TaskFailure) return signal.reason;
    const reason = TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH;
    return new TaskFailure(TaskState.TASK_KILLED, reason, KILLED_WHILE[phase], { cause: error });
  }
  if (error instanceof TaskFailure) return error;
  return TaskFailure.launch(`Failed to launch container: ${messageOf(error)}`, { cause: error });
}

/** What the daemon would be asked for. Rejects when it cannot be. */
async function prepare(
  spec: ContainerSpec,
  tools: LaunchTools,
  read = (path: string) => readParameterFile(spec.sandbox, path),
): Promise<LaunchPlan> {
  const { options, agentKey } = tools;
  const agentId = options.agent.id;
  const docker = dockerInfoOf(spec);
  const bursts = scalarOf(spec.resources, "mem") !== undefined && spec.limits["mem"] !== undefined;
  return launchPlan(spec, {
    agentKey,
    agentId,
    workDir: options.workDir,
    name: containerName(options.nameScheme ?? defaults.nameScheme, agentId, spec.containerId),
    sandboxDirectory: options.sandboxDirectory ?? defaults.sandboxDirectory,
    dns: options.dns ?? defaults.dns,
    cfs: options.cfs ?? defaults.cfs,
    hostMemory: bursts ? await tools.hostMemory() : 0,
    parameters: await expandFiles(docker.parameters, read),
  });
}

const LARGEST_FILE = 1024 * 1024;

/**
 * A file that a parameter names, as the docker command read it: in the sandbox through no link, or an absolute path, which
 * whoever may set parameters of Docker may read anyway.
 */
async function readParameterFile(sandbox: string, path: string): Promise<string> {
  if (!isAbsolute(path)) {
    using root = HeldFolder.open(sandbox);
    const way = normalize(path);
    using folder = root.walk(dirname(way));
    return folder.read(basename(way), LARGEST_FILE).toString("utf8");
  }
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size > LARGEST_FILE) throw new UserError("it is not a file of at most 1 MB");
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/**
 * The container's id at the daemon. It is asked to create it, and only for an image that it lacks does a pull come first: a
 * question for the image would be one more round trip for each launch, and its answer does not tell whether the platform fits.
 */
async function createFromImage(
  spec: ContainerSpec,
  plan: LaunchPlan,
  tools: LaunchTools,
  signal: AbortSignal,
  enter: (phase: Phase) => void,
): Promise<string> {
  const create = (): Promise<string> => {
    enter("starting");
    makeBoundFolders(spec.sandbox, boundSources(plan.request.HostConfig));
    return patiently(tools, signal, () => createOnce(spec, plan, tools));
  };
  if (plan.pull !== "always") {
    try {
      return await create();
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if ((await patiently(tools, signal, () => tools.engine.imageId(plan.image))) !== undefined) {
      // Either something else is missing: a network, a container whose network it shares. Or the image came between the two
      // questions, by another task's pull: only the daemon can tell.
      try {
        return await create();
      } catch (error) {
        if (!isNotFound(error) || plan.platform === undefined || plan.pull === "never") throw error;
      }
    } else if (plan.pull === "never") throw new UserError(`image ${plan.image} is not there, and pull is 'never'`);
  }
  enter("pulling");
  await pullImage(spec, plan, tools, signal);
  return create();
}

/** Rejects with a UserError that has the registry's own words. */
async function pullImage(
  spec: ContainerSpec,
  plan: LaunchPlan,
  { options, pulls }: LaunchTools,
  signal: AbortSignal,
): Promise<void> {
  const { dockerConfig, home } = options;
  const askHelper = options.askHelper ?? (async () => undefined);
  const auth = await registryAuth(plan.image, spec.sandbox, { dockerConfig, home, askHelper }, options.log);
  try {
    await pulls.pull({ reference: plan.image, auth, platform: plan.platform }, signal);
  } catch (error) {
    throw new UserError(`Failed to pull image '${plan.image}': ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** A created container to its running process; it is removed when that fails. */
async function start(
  id: string,
  spec: ContainerSpec,
  plan: LaunchPlan,
  tools: LaunchTools,
  signal: AbortSignal,
): Promise<{ details: ContainerDetails; output: ContainerOutput }> {
  const { engine, options } = tools;
  let output: ContainerOutput | undefined;
  try {
    await tools.checkSandbox(id);
    const attach = plan.request.HostConfig.LogConfig?.Type === "none";
    output = await tools.openOutput({ id, tty: plan.request.Tty === true, attach });
    signal.throwIfAborted();
    if (attach) await output.start();
    await patiently(tools, signal, () => engine.start(id));
    await resizeTerminal(spec, id, tools);
    if (!attach) await output.start();
    // It runs: who wants it to end has to give it its grace.
    const details = await patiently(tools, new AbortController().signal, () => engine.inspect(id));
    tools.collector?.used(details.image);
    return { details, output };
  } catch (error) {
    await output?.close();
    await engine.remove(id, { force: true }).catch((cause) => {
      options.log.warn(`Container ${spec.containerId}: cannot be removed after its failure: ${messageOf(cause)}`);
    });
    throw error;
  }
}

/** A terminal has no size before its process runs, as with the docker command. */
async function resizeTerminal(spec: ContainerSpec, id: string, { engine, options }: LaunchTools): Promise<void> {
  const size = spec.container?.ttyInfo?.windowSize;
  if (size === undefined || size.rows === 0 || size.columns === 0) return;
  await engine.resize(id, size).catch((error: unknown) => {
    options.log.verbose(1, `Container ${spec.containerId}: its terminal has no size yet: ${messageOf(error)}`);
  });
}

/** Creates the container; one that a broken connection left behind is taken. */
async function createOnce(spec: ContainerSpec, plan: LaunchPlan, { engine, options }: LaunchTools): Promise<string> {
  try {
    const { id, warnings } = await engine.create(plan.name, plan.request, plan.platform);
    for (const warning of warnings) options.log.verbose(1, `Container ${spec.containerId}: ${warning}`);
    return id;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const existing = await engine.inspect(plan.name).catch(() => undefined);
    const isOurs = existing?.labels[label.containerId] === spec.containerId && existing.state.status === "created";
    if (existing === undefined || !isOurs) throw error;
    return existing.id;
  }
}

/**
 * Tries again while a daemon that was there cannot be reached, as when it restarts; nothing else is tried again. Where none was
 * ever seen, none is waited for.
 */
async function patiently<T>(
  { options, isDaemonKnown }: LaunchTools,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  const { clock } = options;
  const end = clock.monotonic() + (options.patience ?? defaults.patience);
  const backoff = new Backoff({ initial: 200, maximum: 2_000 });
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const mayComeBack = isEngineError(error, "unreachable") && isDaemonKnown();
      if (!mayComeBack || clock.monotonic() >= end) throw error;
      await sleep(clock, backoff.next(), signal);
    }
  }
}
