/** What a bench has found, and what is made of it. Pure: bench/all.ts prints it, tools/docs.ts makes docs/figures.md of it. */

/** What a figure is held against. */
export interface Measure {
  readonly what: string;
  readonly value: number;
}

export interface Figure {
  /** The same from run to run: by it results are compared. */
  readonly id: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What the machine itself takes for the same, in the same run and unit. */
  readonly floor?: Measure;
  /** The same by another program, in the same run and unit. */
  readonly peer?: Measure;
  /** At most so much, in the figure's unit, or so many times the floor. At least, for what is to be much. */
  readonly goal?: { readonly atMost?: number; readonly timesFloor?: number; readonly atLeast?: number };
  /** What keeps it from being better. */
  readonly bound: string;
}

/** A run of all, as it is checked in. */
export interface Results {
  readonly machine: string;
  readonly date: string;
  /** What a reader should know of this run. */
  readonly note?: string;
  readonly quick: boolean;
  readonly figures: readonly Figure[];
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
}

/** A ratio that moves by less than this share between two runs says nothing. */
const NOISE = 0.25;

/** How often the floor; of what has none, the share of what it may be. It does not depend on the machine as the value does. */
export function ratioOf({ value, floor, goal }: Figure): number | undefined {
  const against = floor?.value ?? goal?.atMost ?? goal?.atLeast;
  return against === undefined || against === 0 ? undefined : value / against;
}

/** Whether it is as good as it is to be; undefined when nobody said how good. */
export function isMet({ value, floor, goal }: Figure): boolean | undefined {
  if (goal === undefined) return undefined;
  const { atMost, timesFloor, atLeast } = goal;
  return (
    (atMost === undefined || value <= atMost) &&
    (atLeast === undefined || value >= atLeast) &&
    (timesFloor === undefined || (floor !== undefined && value <= timesFloor * floor.value))
  );
}

/** Three digits that count. */
export const numberText = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));

export function goalText({ goal, unit }: Figure): string {
  if (goal === undefined) return "";
  const { atMost, timesFloor, atLeast } = goal;
  return [
    timesFloor === undefined ? "" : `≤ ${timesFloor} × floor`,
    atMost === undefined ? "" : `≤ ${numberText(atMost)} ${unit}`,
    atLeast === undefined ? "" : `≥ ${numberText(atLeast)} ${unit}`,
  ]
    .filter(Boolean)
    .join(", ");
}

const measureText = (measure: Measure | undefined, unit: string): string =>
  measure === undefined ? "" : `${numberText(measure.value)} ${unit} (${measure.what})`;

const verdictText = (figure: Figure): string => ({ true: "met", false: "NOT MET" })[String(isMet(figure))] ?? "";

const ratioText = (figure: Figure): string => {
  const ratio = ratioOf(figure);
  return ratio === undefined ? "" : `${numberText(ratio)} ×`;
};

/** One row a figure. The last column but one is against an earlier run of the same mode. */
export function tableOf(results: Results, earlier?: Results): string[] {
  const head = [
    "figure",
    "ours",
    "floor",
    "ratio",
    "goal",
    "",
    "peer",
    ...(earlier ? ["earlier ratio"] : []),
    "bound by",
  ];
  const rows = results.figures.map((figure) => [
    figure.what,
    `${numberText(figure.value)} ${figure.unit}`,
    measureText(figure.floor, figure.unit),
    ratioText(figure),
    goalText(figure),
    verdictText(figure),
    measureText(figure.peer, figure.unit),
    ...(earlier ? [earlierText(figure, earlier)] : []),
    figure.bound,
  ]);
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}

function earlierText(figure: Figure, earlier: Results): string {
  const before = earlier.figures.find(({ id }) => id === figure.id);
  const ratio = before === undefined ? undefined : ratioOf(before);
  return ratio === undefined ? "new" : `${numberText(ratio)} ×`;
}

/** Those whose ratio is worse than before by more than noise. */
export function worseThan(results: Results, earlier: Results): Figure[] {
  return results.figures.filter((figure) => {
    const before = earlier.figures.find(({ id }) => id === figure.id);
    const [now, then] = [ratioOf(figure), before === undefined ? undefined : ratioOf(before)];
    if (now === undefined || then === undefined) return false;
    return figure.goal?.atLeast === undefined ? now > then * (1 + NOISE) : now < then / (1 + NOISE);
  });
}

/** What a bench complained of, in one line: an error is named above its stack, and Node's release comes last. */
export function saidBy(complaint: string): string | undefined {
  const lines = complaint.trim().split("\n");
  return lines.findLast((line) => /^(Uncaught )?\w*Error\b/.test(line)) ?? (lines.at(-1) || undefined);
}

/** docs/figures.md. */
export function figuresPage(results: Results): string {
  return `${[
    "# Figures",
    "",
    "Made by `npm run bench all -- --write` and `npm run docs` from [bench/results.json](../bench/results.json); do not edit.",
    "",
    `${results.date}, ${results.machine}. A floor is what the machine itself takes for the same in the same run: a posix_spawn, an`,
    "empty Node, a read of the same files. Compare ratios, not values: those belong to the machine.",
    ...(results.note === undefined ? [] : ["", results.note]),
    "",
    ...tableOf(results),
    ...(results.missing.length > 0 ? ["", "Not measured:", "", ...results.missing.map((text) => `- ${text}`)] : []),
    "",
    "What was tried and did not help: [decisions/0090](decisions/0090-memory.md).",
  ].join("\n")}\n`;
}
