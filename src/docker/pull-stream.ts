import * as z from "zod";
import type { PullProgress } from "./engine.ts";
import { EngineError } from "./errors.ts";

const lineSchema = z.object({
  id: z.string().nullish(),
  status: z.string().nullish(),
  error: z.string().nullish(),
  errorDetail: z.object({ message: z.string().nullish() }).nullish(),
  progressDetail: z.object({ current: z.number().nullish(), total: z.number().nullish() }).nullish(),
});

const DONE = new Set(["Pull complete", "Already exists"]);

/** Adds up what a pull's lines say. One value per pull. */
export class PullLedger {
  readonly #layers = new Map<string, { done: boolean; current: number; total: number }>();

  /** Takes one line. Throws an EngineError with the registry's words when the line is an error. */
  take(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new EngineError("protocol", "the Docker daemon's pull progress is not JSON", { cause });
    }
    const parsed = lineSchema.safeParse(value);
    if (!parsed.success) return;
    const { id, status, error, errorDetail, progressDetail } = parsed.data;
    const words = errorDetail?.message || error;
    if (words) throw new EngineError("refused", words);
    // "latest: Pulling from library/x" has the tag as id; a layer's id is hexadecimal.
    if (!id || !/^[0-9a-f]{12,64}$/.test(id)) return;
    const layer = this.#layers.get(id) ?? { done: false, current: 0, total: 0 };
    this.#layers.set(id, layer);
    if (DONE.has(status ?? "")) layer.done = true;
    if (status !== "Downloading") return;
    layer.current = progressDetail?.current ?? layer.current;
    layer.total = progressDetail?.total ?? layer.total;
  }

  get progress(): PullProgress {
    const layers = [...this.#layers.values()];
    const sum = (of: (layer: { done: boolean; current: number; total: number }) => number): number =>
      layers.reduce((total, layer) => total + of(layer), 0);
    return {
      layers: layers.length,
      done: sum((layer) => (layer.done ? 1 : 0)),
      bytes: sum((layer) => (layer.done ? layer.total : layer.current)),
      totalBytes: sum((layer) => layer.total),
    };
  }
}
