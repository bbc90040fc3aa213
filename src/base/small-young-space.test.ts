import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";

/** Bytes of the young generation of a process that has run `before`, and then made what lives for a while. */
function youngSpaceAfter(before: string): number {
  const busy = `
    import { getHeapSpaceStatistics } from "node:v8";
    ${before}
    let kept = [];
    for (let round = 0; round < 60; round++) {
      kept = Array.from({ length: 20_000 }, (_, index) => ({ round, index }));
    }
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", busy], { encoding: "utf8" }));
}

it("the young generation does not grow", () => {
  const module = pathToFileURL(join(import.meta.dirname, "small-young-space.ts"));
  expect(youngSpaceAfter(""), "it would").toBeGreaterThan(8 * 1024 ** 2);
  expect(youngSpaceAfter(`await import(${JSON.stringify(module)});`)).toBeLessThanOrEqual(3 * 1024 ** 2);
});
