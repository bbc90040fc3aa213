/** What was used in the last minutes, kept in the browser, and its pictures. */
import { setAttribute } from "./dom.js";
import { whenInSight } from "./sight.js";

/** Milliseconds that are remembered. */
const WINDOW = 600_000;

/** Figures by name over time: `{ at, cpus, memory, … }`, `at` in milliseconds. */
export class Curves {
  #samples = new Map();

  /** Adds what was measured now; forgets what is no longer measured, and what is too old. */
  add(at, figures) {
    const before = this.#samples;
    this.#samples = new Map();
    for (const [key, values] of figures) {
      const kept = (before.get(key) ?? []).filter((sample) => sample.at > at - WINDOW);
      kept.push({ at, ...values });
      this.#samples.set(key, kept);
    }
  }

  of(key) {
    return this.#samples.get(key) ?? [];
  }
}

const SVG = "http://www.w3.org/2000/svg";

function picture(kind, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", kind);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("viewBox", "0 0 100 20");
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("class", "area");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("class", "line");
  svg.append(area, line);
  return { svg, area, line };
}

/** Milliseconds that a picture shows at least: two samples are no curve yet. */
const SHORTEST = 60_000;

/** Points of the picture: time to the right, up to `highest` upwards. Gaps in what is known are gaps in the line. */
export function pathOf(samples, name, highest, now) {
  const shown = Math.min(WINDOW, Math.max(SHORTEST, now - (samples[0]?.at ?? now)));
  let line = "";
  let area = "";
  let first;
  let last;
  const close = () => {
    if (first !== undefined) area += `L${last} 20H${first}Z`;
    first = undefined;
  };
  for (const sample of samples) {
    const value = sample[name];
    if (typeof value !== "number") {
      close();
      continue;
    }
    const x = (100 - (100 * (now - sample.at)) / shown).toFixed(1);
    const y = (19.5 - (19 * Math.min(value, highest)) / highest).toFixed(1);
    const step = `${first === undefined ? "M" : "L"}${x} ${y}`;
    line += step;
    area += step;
    first ??= x;
    last = x;
  }
  close();
  return { line, area };
}

/** A small or large picture of one figure: `kind` is `spark` or `plot`. `update` gives it samples and the limit. */
export function curve(kind, label, name) {
  const { svg, area, line } = picture(kind, label);
  let samples = [];
  let limit;
  const draw = () => {
    const known = samples.map((sample) => sample[name]).filter((value) => typeof value === "number");
    if (known.length < 2) return;
    const most = Math.max(...known);
    // Against the limit where there is one and it is not a hundred times as much; else against the highest.
    const highest = limit > 0 && most > limit / 20 ? Math.max(limit, most) : most * 1.2 || 1;
    const paths = pathOf(samples, name, highest, samples.at(-1).at);
    setAttribute(line, "d", paths.line);
    setAttribute(area, "d", paths.area);
  };
  const drawIfSeen = whenInSight(svg, draw);
  const update = (newSamples, newLimit) => {
    [samples, limit] = [newSamples, newLimit];
    let count = 0;
    for (let at = samples.length - 1; at >= 0 && count < 2; at--) if (typeof samples[at][name] === "number") count++;
    svg.toggleAttribute("hidden", count < 2);
    drawIfSeen();
  };
  return { svg, update };
}
