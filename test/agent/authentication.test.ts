import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cramMd5Response } from "../../src/agent/master/cram-md5.ts";
import { AgentUnderTest } from "../support/agent-under-test.ts";
import type { AuthenticationAttempt } from "../support/scripted-authenticator.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";

const credential = { principal: "me", secret: "hush" };

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.open();
  await test.start({ credential });
});
afterEach(() => test.close());

const attempt = (number: number, master = test.master): Promise<AuthenticationAttempt> =>
  until(`attempt ${number}`, () => master.authenticator.attempts[number - 1]);

/** The first attempt, under way. */
async function begun(): Promise<AuthenticationAttempt> {
  test.lead();
  await test.clock.advance(10);
  return await attempt(1);
}

/** As a master answers the right credential. */
async function succeed(one: AuthenticationAttempt): Promise<void> {
  one.offer("OTHER", "CRAM-MD5");
  await until("start", () => one.mechanisms.length === 1);
  one.challenge("<1.2@master>");
  await until("response", () => one.responses.length === 1);
  one.complete();
}

/** The agent has heard how an attempt ended: its process for it is gone. */
const over = ({ authenticatee }: AuthenticationAttempt): Promise<unknown> =>
  until("the end of the attempt", () => !test.node.viewed.process.ids.includes(authenticatee.id));

describe("an agent with a credential", () => {
  it("proves that it knows the secret, and registers only then", async () => {
    const one = await begun();
    expect(one.pid).toBe(`slave(1)@127.0.0.1:${test.port}`);
    one.offer("CRAM-MD5");
    await until("start", () => one.mechanisms.length === 1);
    expect([one.mechanisms, one.started], "server-first: a start with data is refused by SASL").toEqual([
      ["CRAM-MD5"],
      [undefined],
    ]);
    one.challenge("<1.2@master>");
    await until("response", () => one.responses.length === 1);
    expect(one.responses).toEqual([Buffer.from(cramMd5Response(credential, Buffer.from("<1.2@master>"))).toString()]);
    await test.clock.advance(100);
    await test.master.quiet();
    expect(test.master.registrations).toEqual([]);
    one.complete();
    await test.clock.advance(100);
    await until("registration", () => test.master.registrations.length === 1);
    await test.clock.advance(60_000);
    expect(test.master.authenticator.attempts).toHaveLength(1);
  });

  it("ends when it is refused: trying again is of no use", async () => {
    const one = await begun();
    one.offer("CRAM-MD5");
    await until("start", () => one.mechanisms.length === 1);
    one.challenge("c");
    await until("response", () => one.responses.length === 1);
    one.refuse();
    expect(await test.node.ended).toContain("does not accept the principal and secret of --credential");
    expect(test.node.exitCode).toBe(1);
    expect(test.master.registrations).toEqual([]);
  });

  it("tries again after an error, after half a second on average, as another process", async () => {
    const one = await begun();
    one.fail("no authenticator loaded");
    await over(one);
    await test.clock.advance(499);
    await test.master.quiet();
    expect(test.master.authenticator.attempts).toHaveLength(1);
    await test.clock.advance(1);
    const two = await attempt(2);
    expect(two.name).not.toBe(one.name);
    two.fail("again");
    await over(two);
    await test.clock.advance(1_000);
    await succeed(await attempt(3));
    await test.clock.advance(100);
    await until("registration", () => test.master.registrations.length === 1);
  });

  it("tries again when no answer comes, and what then comes late means nothing", async () => {
    const one = await begun();
    await test.clock.advance(5_494);
    await test.master.quiet();
    expect(test.master.authenticator.attempts).toHaveLength(1);
    await test.clock.advance(1);
    const two = await attempt(2);
    one.offer("CRAM-MD5");
    await test.master.quiet();
    expect(one.mechanisms).toEqual([]);
    await succeed(two);
    await test.clock.advance(100);
    await until("registration", () => test.master.registrations.length === 1);
  });

  it("answers nobody but the master that leads: what it says helps to guess the secret", async () => {
    const one = await begun();
    const stranger = test.closing(await ScriptedMaster.start(test.port));
    const forged = stranger.authenticator.imitate(one);
    forged.offer("CRAM-MD5");
    forged.challenge("c");
    forged.complete();
    await stranger.quiet();
    await test.master.quiet();
    expect([forged.mechanisms, forged.responses]).toEqual([[], []]);
    await succeed(one);
    await test.clock.advance(100);
    await until("registration", () => test.master.registrations.length === 1);
  });

  it("starts over with a new leader, and is done with the old one", async () => {
    const one = await begun();
    const second = test.closing(await ScriptedMaster.start(test.port));
    test.lead(second);
    await test.clock.advance(10);
    await succeed(await attempt(1, second));
    one.offer("CRAM-MD5");
    await test.clock.advance(60_000);
    await test.master.quiet();
    expect(one.mechanisms).toEqual([]);
    expect(test.master.authenticator.attempts).toHaveLength(1);
    await until("registration", () => second.registrations.length > 0);
  });

  it("waits for a leader when it lost the one that it asked, even after an error", async () => {
    const one = await begun();
    one.fail("no");
    await over(one);
    test.loseLeader();
    await test.clock.advance(60_000);
    await test.master.quiet();
    expect(test.master.authenticator.attempts).toHaveLength(1);
  });

  it("authenticates again before it registers again", async () => {
    await succeed(await begun());
    await test.clock.advance(100);
    await until("announcement", () => test.master.announcements.length === 1);
    test.loseLeader();
    test.lead();
    await test.clock.advance(10);
    await succeed(await attempt(2));
    await test.clock.advance(100);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });
});

it("an agent without a credential registers at once", async () => {
  const plain = await AgentUnderTest.registered();
  try {
    expect(plain.master.authenticator.attempts).toEqual([]);
  } finally {
    await plain.close();
  }
});
