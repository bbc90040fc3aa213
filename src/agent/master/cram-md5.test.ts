import { describe, expect, it } from "vitest";
import { type Answer, answerTo, attemptTimeout, cramMd5Response, retryWait, type Stage } from "./cram-md5.ts";

describe("cramMd5Response", () => {
  it("gives RFC 2195's example", () => {
    const credential = { principal: "tim", secret: "tanstaaftanstaaf" };
    const challenge = Buffer.from("<1896.697170952@postoffice.reston.mci.net>");
    expect(Buffer.from(cramMd5Response(credential, challenge)).toString()).toBe("tim b913a602c7eda7a495b4e6e7334d3890");
  });
});

describe("answerTo", () => {
  const step = { kind: "step", challenge: Buffer.from("c") } as const;
  const offer = { kind: "mechanisms", mechanisms: ["CRAM-MD5"] } as const;
  const run = (...messages: Parameters<typeof answerTo>[1][]): Answer | undefined => {
    let stage: Stage = "requested";
    let answer: Answer | undefined;
    for (const message of messages) {
      answer = answerTo(stage, message);
      stage = answer.next;
    }
    return answer;
  };

  it("goes mechanisms, step, completed", () => {
    expect(run(offer)).toEqual({ send: "start", next: "started" });
    expect(run(offer, step)).toEqual({ send: "response", next: "answered" });
    expect(run(offer, step, { kind: "completed" })).toEqual({ outcome: { kind: "completed" }, next: "done" });
  });

  it("tells a refusal, which is final, from errors", () => {
    expect(run(offer, step, { kind: "failed" })).toMatchObject({ outcome: { kind: "failed" } });
    expect(run({ kind: "error", error: "No authenticator loaded" })).toMatchObject({
      outcome: { kind: "error", why: "the master reports: No authenticator loaded" },
    });
  });

  it("takes what is out of order for an error, completion without a challenge above all", () => {
    expect(run({ kind: "completed" })).toMatchObject({ outcome: { kind: "error" } });
    expect(run(step)).toMatchObject({ outcome: { kind: "error" } });
    expect(run(offer, offer)).toMatchObject({ outcome: { kind: "error" } });
    expect(run({ kind: "mechanisms", mechanisms: ["GSSAPI"] })).toMatchObject({
      outcome: { why: "the master offers GSSAPI, not CRAM-MD5" },
    });
  });
});

describe("timing", () => {
  const timing = { minimum: 5_000, maximum: 60_000, factor: 1_000 };

  it("gives an attempt between 5 s and a bound that doubles up to the maximum", () => {
    expect([0, 1, 3, 20].map((n) => attemptTimeout(n, timing, 1))).toEqual([6_000, 7_000, 13_000, 60_000]);
    expect(attemptTimeout(20, timing, 0)).toBe(5_000);
    expect(attemptTimeout(0, { ...timing, maximum: 1_000 }, 1)).toBe(5_000);
  });

  it("waits longer after each error", () => {
    expect([0, 1, 2, 20].map((n) => retryWait(n, timing, 1))).toEqual([1_000, 2_000, 4_000, 60_000]);
  });
});
