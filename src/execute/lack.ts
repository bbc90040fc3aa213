import { nearest } from "../base/nearest.ts";
import type { Offer } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Resources } from "../mesos/resources.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { usable } from "./task.ts";

/** Names that every cluster has. */
const USUAL = ["cpus", "mem", "disk", "ports", "gpus"];

interface Lack {
  readonly offer: Offer;
  readonly has: Resources;
  /** `cpus:98`, `ports:[31000-31001]`; a name alone when the offer has none of it. */
  readonly words: readonly string[];
  /** How far from fitting: the sum of the missing fractions, a whole one for what is not there at all. */
  readonly distance: number;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

function lackOf(offer: Offer, needed: Resources): Lack {
  const has = usable(offer.resources);
  const words: string[] = [];
  let distance = 0;
  for (const { kind } of needed.entries()) {
    const { name } = kind;
    const wanted = needed.scalar(name);
    if (wanted !== undefined) {
      const missing = wanted - (has.scalar(name) ?? 0);
      if (missing <= 0) continue;
      words.push(`${name}:${round(missing)}`);
      distance += missing / wanted;
      continue;
    }
    const part = needed.filter((each) => each.name === name);
    const rest = part.subtract(has.filter((each) => each.name === name).map(() => kind));
    if (rest.isEmpty) continue;
    words.push(formatResources(rest).replaceAll("(*)", ""));
    distance++;
  }
  return { offer, has, words, distance };
}

/**
 * Why none of these offers can carry what is needed: what the nearest of them lacks, and which name may be a slip. Undefined
 * when there are none, or one fits.
 */
export function explainLack(offers: readonly Offer[], needed: Resources): string | undefined {
  const [best] = offers.map((offer) => lackOf(offer, needed)).sort((a, b) => a.distance - b.distance);
  if (best === undefined || best.words.length === 0) return undefined;
  const offered = new Set([...USUAL, ...[...best.has.entries()].map(({ kind }) => kind.name)]);
  const slips = [...needed.entries()].flatMap(({ kind: { name } }) => {
    const meant = offered.has(name) ? undefined : nearest(name, offered);
    return meant === undefined ? [] : [`no offer has '${name}': did you mean ${meant}?`];
  });
  const plain = formatResources(best.has).replaceAll("(*)", "");
  return [
    `No offer fits: the best, of ${best.offer.hostname}, has ${plain} and lacks ${best.words.join(", ")}`,
    ...slips,
  ].join("; ");
}
