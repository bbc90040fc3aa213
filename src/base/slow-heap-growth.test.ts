import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";

const module = (name: string): string => JSON.stringify(pathToFileURL(join(import.meta.dirname, name)));

/**
 * Megabytes of the old generation, at most, of a process that has imported `names`, and then makes a list of things, each of which
 * replaces one that was made long before.
 */
function mostAfter(...names: string[]): number {
  const busy = `
    import { getHeapSpaceStatistics } from "node:v8";
    for (const name of [${names.map(module).join(", ")}]) await import(name);
    const kept = [];
    let most = 0;
    for (let index = 0; index < 2_000_000; index++) {
      kept[index % 100_000] = { index, text: String(index) };
      if (index % 1000 !== 0) continue;
      const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space");
      most = Math.max(most, old.space_used_size);
    }
    console.log(most / 1024 ** 2);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", busy], { encoding: "utf8" }));
}

it("the old generation grows by what lives in it, and not much more", () => {
  const [without, held] = [mostAfter("small-young-space.ts"), mostAfter("small-young-space.ts", "slow-heap-growth.ts")];
  expect(held, `instead of ${without} MB`).toBeLessThan(0.85 * without);
});
