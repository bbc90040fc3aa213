import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Collector } from "../../src/forwarder/batching/collector.ts";
import { compressing, FrameEncoder } from "../../src/forwarder/lumberjack/encoding/encoder.ts";
import { Publisher } from "../../src/forwarder/lumberjack/publisher.ts";
import type { Batch } from "../../src/forwarder/model/batch.ts";
import type { Source } from "../../src/forwarder/model/source.ts";
import { LumberjackReceiver } from "../support/lumberjack-receiver.ts";

const LINES = Array.from({ length: 40 }, (_, number) => `line ${number} ${(number * 2_654_435_761) % 1009}`);

/** One window of 40 events, made as the pipeline makes them. */
async function makeBatch(version: 1 | 2): Promise<Batch> {
  const sealed: Batch[] = [];
  const collector = new Collector({
    clock: systemClock,
    encoder: new FrameEncoder({
      clock: systemClock,
      finisher: compressing(3),
      version: () => version,
      constantsOf: () => ({ file: "/a.log", host: "h", fields: {} }),
    }),
    flushTime: 60_000,
    room: () => 40,
    sealed: async (batch) => {
      sealed.push(batch);
    },
  });
  const bytes = Buffer.from(LINES.map((line) => `${line}\n`).join(""));
  await collector.lines({ name: "/a.log" } as Source, bytes, 0, bytes.length - 1);
  await collector.flush();
  const [batch] = sealed;
  if (batch === undefined) throw new Error("no batch");
  return batch;
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Ships `batch`; the first connection is cut after `bytes`. What the receiver took and what was acknowledged. */
async function ship(batch: Batch, version: 1 | 2, bytes: number) {
  const receiver = await new LumberjackReceiver({
    cut: (connection) => (connection === 0 ? bytes : undefined),
  }).listen();
  open.push(receiver);
  const acked = new Set<number>();
  await new Promise<void>((resolve) => {
    const publisher = new Publisher({
      network: {
        servers: [{ host: "127.0.0.1", port: receiver.port }],
        loadBalance: false,
        timeout: 5000,
        maximumWait: 5000,
        connectionLifetime: 0,
        backoff: { initial: 1, maximum: 1 },
        tls: undefined,
        version,
      },
      bulkSize: 64,
      compressionLevel: 3,
      preferred: version,
      clock: systemClock,
      log: silentLogger,
      acked: (_, first, until) => {
        for (let event = first; event < until; event++) acked.add(event);
        if (acked.size === batch.events) resolve();
      },
    });
    open.push(publisher);
    publisher.offer(batch);
  });
  for (const one of open.splice(0)) await one.close();
  return { lines: receiver.events.map(({ line }) => line), violations: receiver.violations };
}

describe("a connection cut at every byte of a window", { timeout: 60_000 }, () => {
  it.each([1, 2] as const)("loses nothing and doubles at most that window, in version %i", async (version) => {
    const batch = await makeBatch(version);
    expect(batch.events).toBe(40);
    let doubled = 0;
    for (let bytes = 1; bytes <= batch.wire.length; bytes++) {
      const { lines, violations } = await ship(batch, version, bytes);
      expect(violations, `cut after ${bytes}`).toEqual([]);
      expect(new Set(lines), `cut after ${bytes}`).toEqual(new Set(LINES));
      // Only the window that arrived whole, and whose acknowledgement was cut off, comes twice.
      if (lines.length !== LINES.length) {
        expect([bytes, lines.length]).toEqual([batch.wire.length, 2 * LINES.length]);
        doubled++;
      }
    }
    expect(doubled).toBe(1);
  });
});
