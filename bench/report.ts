import { appendFileSync } from "node:fs";
import { type Figure, goalText, isMet, numberText } from "./figures.ts";

/** Prints the figures of a bench, and hands them to bench/all.ts when that started it. */
export function report(figures: readonly Figure[]): void {
  for (const figure of figures) {
    const { what, value, unit, floor, peer } = figure;
    const beside = [floor, peer].flatMap((measure) =>
      measure === undefined
        ? []
        : `${measure.what} ${numberText(measure.value)} ${unit}, ${numberText(value / measure.value)} ×`,
    );
    const verdict = { true: `: met (${goalText(figure)})`, false: `: NOT MET (${goalText(figure)})` }[
      String(isMet(figure))
    ];
    const words = beside.length > 0 ? ` (${beside.join("; ")})` : "";
    console.log(`${what.padEnd(52)} ${numberText(value)} ${unit}${words}${verdict ?? ""}`);
  }
  const path = process.env["BENCH_REPORT"];
  if (path !== undefined) appendFileSync(path, figures.map((figure) => `${JSON.stringify(figure)}\n`).join(""));
}
