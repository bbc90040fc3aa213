import { expect, it } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { Lookout } from "./lookout.ts";

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
      changed: () => undefined,
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
