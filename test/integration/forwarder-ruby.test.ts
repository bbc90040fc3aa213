import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { configure, forwarderSuite, textOf, until } from "../support/forwarder.ts";
import { RubyReceiver } from "../support/ruby-receiver.ts";

const { place, start } = forwarderSuite("ruby");
const receivers: RubyReceiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
});

const LINES = 20_000;
const lines = Array.from({ length: LINES }, (_, number) => `line ${number} ${Math.imul(number, 2_654_435_761) >>> 0}`);

describe("the Ruby input of Logstash 1.4 to 2", () => {
  it.each([
    { work: 0, deaf: false },
    { work: 3, deaf: false },
    { work: 0, deaf: true },
  ])("takes a backlog without a stall and nearly without doubles: %j", async (habits) => {
    const receiver = new RubyReceiver(habits);
    receivers.push(receiver);
    const folder = place();
    writeFileSync(join(folder, "a.log"), textOf(lines));
    const forwarder = start(configure(folder, [await receiver.listen()]));
    await until(() => new Set(receiver.lines).size >= LINES, "all lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(receiver.lines.length - LINES).toBeLessThan(0.05 * LINES);
    expect(receiver.longestPause, "long before the timeout").toBeLessThan(4000);
    // It was found out, once: several windows were sent together and no more than once.
    expect([receiver.confused, receiver.connections]).toEqual([1, 2]);
    expect(forwarder.log()).toContain("takes one window at a time");
  });
});
