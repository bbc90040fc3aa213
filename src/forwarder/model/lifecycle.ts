/**
 * The life of a followed content. A descriptor is open in `held`, `reading`, `at-end` and `draining`; what it leads to is
 * read to its end whatever becomes of the name.
 *
 *   found ──▶ held ──▶ reading ◀──▶ at-end        found: its place is known, nothing is open
 *     ▲        │          │           │           held: open since it was found, not read yet
 *     │        └──────────┼───────────┤           reading: in the queue, or being read
 *     │                   ▼           │           at-end: read as far as it goes
 *     ├──── closed ── draining ◀──────┤           draining: its name is gone or leads elsewhere; it is read to its end
 *     │                   │           │
 *     ├─ in a copy ──── gone          │           gone: nothing is open and nothing is to be found: a copy may appear
 *     └─ in a copy ── replaced ◀──────┘           replaced: its file holds other content: the rest is looked for
 *
 * From every stage with a file a truncation leads to `replaced`, and the loss of the file to `gone`.
 */
export const stages = ["found", "held", "reading", "at-end", "draining", "gone", "replaced"] as const;
export type Stage = (typeof stages)[number];

export const transitions: Readonly<Record<Stage, readonly Stage[]>> = {
  found: ["held", "draining", "gone", "replaced"],
  held: ["reading", "found", "draining", "gone", "replaced"],
  reading: ["at-end", "found", "draining", "gone", "replaced"],
  "at-end": ["reading", "found", "draining", "gone", "replaced"],
  draining: ["held", "found", "gone", "replaced"],
  gone: ["found"],
  replaced: ["found", "gone"],
};

/** Moves to another stage; staying is always legal. Throws on a move that the table does not have: a fault of ours. */
export function enter(source: { stage: Stage; readonly name: string }, stage: Stage): void {
  if (source.stage === stage) return;
  if (!transitions[source.stage].includes(stage))
    throw new Error(`'${source.name}' cannot go from ${source.stage} to ${stage}`);
  source.stage = stage;
}
