import type { TestContext } from "vitest";

/** Skips a test that needs what is not here, saying what; in CI, where everything is there, that is a failure. */
export function missing(context: Pick<TestContext, "skip">, what: string): never {
  if (process.env["CI"]) throw new Error(`in CI nothing may be missing: ${what}`);
  return context.skip(what);
}

/** `why`: what root is needed for, "giving files away". */
export function needRoot(context: Pick<TestContext, "skip">, why: string): void {
  if (process.getuid?.() !== 0) missing(context, `${why} needs root`);
}
