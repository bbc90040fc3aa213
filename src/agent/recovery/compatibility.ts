import { attributeText } from "../../mesos/attributes.ts";
import { type AgentInfo, type Attribute, type Resource, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../mesos/resources.ts";
import { formatResources } from "../../mesos/resources-text.ts";

export type ReconfigurationPolicy = "equal" | "additive";

/** One thing that differs between the agent that was and the one that is, as a line for the operator. */
export interface Difference {
  readonly what: string;
  readonly before: string;
  readonly now: string;
  /** Whether `additive` takes it. */
  readonly additive: boolean;
}

/** Whether `now` is the attribute `before`, or the same with wider ranges. */
function hasAtLeast(now: Attribute, before: Attribute): boolean {
  if (now.name !== before.name || now.type !== before.type) return false;
  if (before.type !== Value_Type.RANGES) return attributeText(now) === attributeText(before);
  const ranges = now.ranges?.range ?? [];
  return (before.ranges?.range ?? []).every(({ begin, end }) =>
    ranges.some((wider) => wider.begin <= begin && wider.end >= end),
  );
}

function attributeDifferences(before: readonly Attribute[], now: readonly Attribute[]): Difference[] {
  const texts = (list: readonly Attribute[]): string[] =>
    list.map((attribute) => `${attribute.name}:${attributeText(attribute)}`).sort();
  const [old, fresh] = [texts(before), texts(now)];
  if (old.length === fresh.length && old.every((text, index) => text === fresh[index])) return [];
  const additive = before.every((attribute) => now.some((candidate) => hasAtLeast(candidate, attribute)));
  return [{ what: "attributes", before: old.join(";"), now: fresh.join(";"), additive }];
}

function resourceDifferences(before: readonly Resource[], now: readonly Resource[]): Difference[] {
  const [old, fresh] = [Resources.of(before), Resources.of(now)];
  if (old.equals(fresh)) return [];
  return [
    { what: "resources", before: formatResources(old), now: formatResources(fresh), additive: fresh.contains(old) },
  ];
}

const domainText = ({ domain }: AgentInfo): string => {
  const fault = domain?.faultDomain;
  return fault === undefined ? "none" : `${fault.region?.name}/${fault.zone?.name}`;
};

/** What changed in an agent's info since its last run (mesos-agent-behaviour §4.4). Order of entries does not matter. */
export function differences(before: AgentInfo, now: AgentInfo): Difference[] {
  const found: Difference[] = [];
  const compare = (what: string, a: string, b: string, additive: boolean): void => {
    if (a !== b) found.push({ what, before: a, now: b, additive });
  };
  compare("hostname", before.hostname, now.hostname, false);
  compare("port", String(before.port), String(now.port), false);
  found.push(...resourceDifferences(before.resources, now.resources));
  found.push(...attributeDifferences(before.attributes, now.attributes));
  compare("domain", domainText(before), domainText(now), before.domain === undefined);
  return found;
}

/** Whether the policy takes every difference. */
export function accepts(policy: ReconfigurationPolicy, found: readonly Difference[]): boolean {
  return found.length === 0 || (policy === "additive" && found.every(({ additive }) => additive));
}

/** The lines that a refusal shows. */
export function explainDifferences(found: readonly Difference[]): string {
  return found.map(({ what, before, now }) => `  ${what}: was ${before}, is ${now}`).join("\n");
}

/** Settings that a difference can be undone with, word for word; of the others the names of the flags must do. */
const WORD_FOR_WORD: ReadonlySet<string> = new Set(["hostname", "port"]);

/**
 * What somebody can do whose agent is refused for these differences: each way works by itself. `latest`: the link that
 * holds on to the old id.
 */
export function waysOut(found: readonly Difference[], policy: ReconfigurationPolicy, latest: string): string {
  const old = found.map(({ what, before }) =>
    WORD_FOR_WORD.has(what) ? `--${what}=${before}` : `--${what} as it was`,
  );
  const additive = policy === "equal" && accepts("additive", found);
  return [
    `start with the old settings: ${[...new Set(old)].join(", ")}`,
    ...(additive ? ["or allow more of everything: --reconfiguration_policy=additive"] : []),
    "or start another node beside the old one, with a --work_dir of its own",
    `or give up the old id and its tasks, and start again after\n    rm -f ${latest}`,
  ].join("\n  ");
}
