import { afterAll, expect, it, vi } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import type { Watch } from "./listing.ts";
import { Lookout } from "./lookout.ts";

// Test files share what they import: what is replaced here is to be imported anew, here and by those that come afterwards.
vi.hoisted(() => vi.resetModules());
afterAll(() => void vi.resetModules());

/** What tells of changes, in place of the kernel. */
let tell: (folder: string, name: string | undefined, structure: boolean) => void = () => undefined;
vi.mock("./watcher.ts", () => ({
  Watcher: class {
    constructor(_: unknown, changed: typeof tell) {
      tell = changed;
    }
    follow = () => false;
    include = () => false;
    watches = () => true;
    close = () => undefined;
  },
}));

it("scans do not pile up: the next one waits for the last, and as long again as that took", async () => {
  const clock = new TestClock();
  const begun: number[] = [];
  let end: () => void = () => undefined;
  const lookout = new Lookout({
    prospector: {
      scan: () => {
        begun.push(clock.monotonic() - start);
        return new Promise((resolve) => {
          end = resolve;
        });
      },
      folders: new Set(),
      source: () => undefined,
      noticed: () => undefined,
      glimpse: () => undefined,
    },
    scanInterval: 100,
    isOwn: () => false,
    clock,
    log: silentLogger,
  });
  const start = clock.monotonic();
  const first = lookout.start(false);
  end();
  await first;
  await clock.advance(150);
  expect(begun, "an interval, and the time that names have to settle").toEqual([0, 150]);
  // A folder of very many files: it is asked for again and again meanwhile.
  await clock.advance(1000);
  expect(begun).toHaveLength(2);
  end();
  await settle();
  await clock.advance(999);
  expect(begun).toHaveLength(2);
  await clock.advance(1);
  expect(begun).toEqual([0, 150, 2150]);
  lookout.stop();
  end();
  await clock.advance(10_000);
  expect(begun, "nothing is looked for any more").toHaveLength(3);
});

it("after more changes than the kernel keeps, the next scan takes nothing for told", async () => {
  const clock = new TestClock();
  const told: boolean[] = [];
  const lookout = new Lookout({
    prospector: {
      scan: async (_: boolean, watch?: Watch) => void told.push(watch?.watches("/f") ?? false),
      folders: new Set(),
      source: () => undefined,
      noticed: () => undefined,
      glimpse: () => undefined,
    },
    scanInterval: 1000,
    isOwn: () => false,
    clock,
    log: silentLogger,
  });
  await lookout.start(true);
  for (let event = 0; event < 5000; event++) tell("/f", undefined, false);
  await clock.advance(100);
  for (let event = 0; event < 10; event++) tell("/f", undefined, false);
  await clock.advance(100);
  expect(told).toEqual([true, false, true]);
  lookout.stop();
});
