import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Batch } from "../model/batch.ts";
import { AckReader, ProtocolError } from "./ack-reader.ts";
import { InFlight } from "./in-flight.ts";
import { WindowSize } from "./window-size.ts";

const ack = (sequence: number, version = 0x32): Buffer => {
  const bytes = Buffer.from([version, 0x41, 0, 0, 0, 0]);
  bytes.writeUInt32BE(sequence, 2);
  return bytes;
};
const batch = (events: number) => ({ events }) as Batch;

describe("acknowledgements", () => {
  it("are read however TCP splits them, of either version", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 31)), fc.array(fc.integer({ min: 1, max: 9 })), (sequences, cuts) => {
        let rest = Buffer.concat(sequences.map((sequence, index) => ack(sequence, 0x31 + (index % 2))));
        const reader = new AckReader();
        const got: number[] = [];
        for (const cut of [...cuts, rest.length]) {
          got.push(...reader.push(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        expect(got).toEqual(sequences);
      }),
    );
  });

  it("are told from garbage at the first wrong byte", () => {
    expect(() => new AckReader().push(Buffer.from("HTTP/1.1"))).toThrow(ProtocolError);
    expect(() => new AckReader().push(Buffer.from([0x15, 0x03, 0x03, 0, 2, 2, 70]))).toThrow(
      "it speaks TLS, and we do not",
    );
    const reader = new AckReader();
    expect(reader.push(Buffer.from("1"))).toEqual([]);
    expect(() => reader.push(Buffer.from("W"))).toThrow(/0x3157/);
  });

  it("speak of the oldest window, exactly", () => {
    const flights = new InFlight();
    flights.sent(batch(10), 0);
    flights.sent(batch(5), 1);
    flights.heard();
    expect(flights.acknowledge(0, 2)).toBeUndefined();
    expect(flights.acknowledge(4, 2)).toMatchObject({ complete: false });
    expect(flights.acknowledge(4, 2), "again").toBeUndefined();
    expect(flights.acknowledge(10, 3)).toMatchObject({ complete: true });
    expect(flights.front?.frontSince).toBe(3);
    expect(() => flights.acknowledge(6, 4)).toThrow(ProtocolError);
    expect(flights.acknowledge(5, 4)).toMatchObject({ complete: true });
    expect(() => flights.acknowledge(1, 5)).toThrow(/nothing is in flight/);
  });

  it("of what was not written when they came are none, and those in the middle count only where they may", () => {
    const flights = new InFlight();
    flights.sent(batch(10), 0);
    flights.sent(batch(10), 0);
    flights.heard(1);
    expect(() => flights.acknowledge(4, 1, false)).toThrow(/4 in the middle of a window of 10/);
    expect(flights.front?.acked, "and are not applied").toBe(0);
    expect(flights.acknowledge(10, 1, false)).toMatchObject({ complete: true });
    expect(() => flights.acknowledge(10, 1, false)).toThrow(/10 of a window that was not written yet/);
    flights.heard();
    flights.sent(batch(10), 2);
    expect(flights.acknowledge(10, 3)).toMatchObject({ complete: true });
    expect(flights.acknowledge(10, 3), "said again, not of what was sent after it was heard").toBeUndefined();
    expect(() => flights.acknowledge(9, 3)).toThrow(/not written yet/);
  });
});

describe("the window's size", () => {
  const grow = (size: WindowSize, now: number): number => {
    for (let round = 0; round < 12; round++) size.landed(size.current, now);
    return size.current;
  };

  it("doubles with acknowledgements, and keeps below a limit that it found, for a minute", () => {
    const size = new WindowSize(1000);
    expect(size.current).toBe(64);
    size.landed(64, 0);
    size.lost(128, 0);
    expect([size.current, grow(size, 59_999)]).toEqual([64, 64]);
    expect(size.proven, "what may go while others are in flight").toBe(64);
    expect(grow(size, 60_000)).toBe(1000);
  });

  it("is not blamed when a receiver restarts, until it fails three times in a row", () => {
    const size = new WindowSize(1000);
    grow(size, 0);
    size.lost(1000, 1);
    size.lost(64, 2);
    expect([size.current, grow(size, 3)]).toEqual([64, 1000]);
    for (let round = 0; round < 3; round++) size.lost(64, 4);
    expect(size.current).toBe(32);
  });

  it("never falls below one event", () => {
    const size = new WindowSize(8);
    for (let round = 0; round < 9; round++) size.lost(size.current, 0);
    expect(size.current).toBe(1);
  });
});
