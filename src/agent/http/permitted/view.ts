import type { AgentAction } from "../../authorization/actions.ts";
import type { Approver } from "../../authorization/approver.ts";
import { executorUser } from "../../authorization/objects.ts";
import { countGauges, resourceGauges } from "../../metrics/from-model.ts";
import { nodeMetrics } from "../../metrics/table.ts";
import type { ShownFiles } from "../files/attached.ts";
import type { AgentSnapshot, AgentView, ContainerUsage, ForwarderFacts, NestedUsage } from "../view.ts";
import { askedFor } from "./files.ts";
import { permittedSnapshot } from "./records.ts";

/** Instead of words about what is wrong, which may name somebody's container. */
const SEE_THE_LOG = "the agent's log says what";

/** Who sees all of these sees every figure. */
const ALL_WORK: readonly AgentAction[] = ["view_frameworks", "view_executors", "view_tasks", "view_containers"];

/** The agent as somebody may see it. The pages show this and know of no rules. */
export function permittedView(view: AgentView, files: ShownFiles, approver: Approver): AgentView {
  const snapshot = (): AgentSnapshot => permittedSnapshot(view.snapshot(), approver);
  const mayReadLog = approver.allows("access_mesos_logs");
  const seesFlags = approver.allows("view_flags");
  return {
    ...view,
    snapshot,
    usage: async () => permittedUsage(await view.usage(), view.snapshot(), approver),
    containers: {
      ...view.containers,
      usage: async (shown) => permittedNested(await view.containers.usage(shown), view, approver),
    },
    flags: seesFlags ? view.flags : undefined,
    logDir: seesFlags ? view.logDir : undefined,
    externalLogFile: seesFlags ? view.externalLogFile : undefined,
    metrics: async (timeout) => {
      const all = await view.metrics(timeout);
      return ALL_WORK.every((action) => approver.allowsEverything(action)) ? all : permittedMetrics(all, snapshot());
    },
    troubles: () =>
      mayReadLog ? view.troubles() : new Map([...view.troubles()].map(([part]) => [part, SEE_THE_LOG] as const)),
    engines: async () => {
      const engines = await view.engines();
      if (mayReadLog) return engines;
      return engines.map((engine) => (engine.trouble === undefined ? engine : { ...engine, trouble: SEE_THE_LOG }));
    },
    neighbours: async () => {
      const facts = await view.neighbours();
      if (facts.forwarder === undefined) return facts;
      return { ...facts, forwarder: permittedForwarder(facts.forwarder, files, approver) };
    },
  };
}

function permittedUsage(
  usage: readonly ContainerUsage[],
  { frameworks }: AgentSnapshot,
  approver: Approver,
): readonly ContainerUsage[] {
  const byId = new Map(frameworks.map((framework) => [framework.frameworkId, framework]));
  return usage.filter(({ frameworkId, executorId }) => {
    const framework = byId.get(frameworkId);
    const executor = framework?.executors.get(executorId);
    // What has ended meanwhile is not there.
    if (framework === undefined || executor === undefined) return false;
    return approver.allows("view_containers", executorUser(executor.info, framework.info));
  });
}

/** Those within an executor's container go with it; the others stand alone. */
const permittedNested = (
  usage: readonly NestedUsage[],
  { containers }: AgentView,
  approver: Approver,
): readonly NestedUsage[] =>
  usage.filter(({ chain }) => {
    const owner = containers.ownerOf(chain);
    return owner === undefined
      ? approver.allowsAlone("view_standalone_containers")
      : approver.allows("view_containers", executorUser(owner.executor.info, owner.framework.info));
  });

/** Figures of the machine, and of the work only what is seen. Counters cannot be parted, and are left out. */
function permittedMetrics(all: ReadonlyMap<string, number>, snapshot: AgentSnapshot): ReadonlyMap<string, number> {
  return new Map([
    ...[...all].filter(([name]) => nodeMetrics.has(name)),
    ...countGauges(snapshot.frameworks),
    ...resourceGauges(snapshot.total, snapshot.frameworks),
  ]);
}

/** Files of sandboxes and logs that may be read; what stands behind is added up of these alone. */
function permittedForwarder(facts: ForwarderFacts, files: ShownFiles, approver: Approver): ForwarderFacts {
  const seesAll = approver.allowsEverything("access_sandboxes") && approver.allows("access_mesos_logs");
  if (seesAll || "problem" in facts) return facts;
  const shown = facts.files.filter(({ source }) => {
    const { action, object } = askedFor(files.ownerOf(source) ?? { kind: "log" });
    return approver.allows(action, object);
  });
  const lag = {
    bytes: shown.reduce((sum, { lagBytes }) => sum + lagBytes, 0),
    seconds: shown.reduce((most, { lagSeconds }) => Math.max(most, lagSeconds), 0),
  };
  return { events: undefined, lag, servers: facts.servers, files: shown };
}
