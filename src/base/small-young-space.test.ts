import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";

/**
 * Bytes of the young generation of a process that has run `before`, and then makes what lives for a while: the median of 200
 * looks. A single one would not do: around a collection V8 may take up to 4 MB more for a moment, and gives it back.
 */
function youngSpaceAfter(before: string): number {
  const busy = `
    import { getHeapSpaceStatistics } from "node:v8";
    ${before}
    let kept = [];
    const sizes = [];
    for (let round = 0; round < 200; round++) {
      kept = Array.from({ length: 20_000 }, (_, index) => ({ round, index }));
      sizes.push(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);
    }
    console.log(sizes.sort((one, other) => one - other)[100]);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", busy], { encoding: "utf8" }));
}

it("the young generation does not grow", () => {
  const module = pathToFileURL(join(import.meta.dirname, "small-young-space.ts"));
  expect(youngSpaceAfter(""), "it would").toBeGreaterThan(8 * 1024 ** 2);
  expect(youngSpaceAfter(`await import(${JSON.stringify(module)});`)).toBeLessThanOrEqual(3 * 1024 ** 2);
});
