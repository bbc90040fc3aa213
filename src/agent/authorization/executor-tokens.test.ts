import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { ExecutorTokens } from "./executor-tokens.ts";

const KEY = Buffer.from("a key\n");
const claims = { frameworkId: "F", executorId: "ex'e c\"", containerId: "c" };

const part = (value: object | string): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
/** A token made by hand, from its parts and a key. */
function made(header: object, payload: object, key: Uint8Array = KEY, hash = "sha256"): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`;
}
const HS256 = { alg: "HS256", typ: "JWT" };
const payload = { fid: "F", eid: "ex'e c\"", cid: "c" };

it("a token is an HS256 JWT with fid, eid and cid, as Mesos makes it", async () => {
  const token = await new ExecutorTokens(KEY).of(claims);
  const [header = "", body = ""] = token.split(".");
  const decode = (text: string): unknown => JSON.parse(Buffer.from(text, "base64url").toString());
  expect(decode(header)).toEqual(HS256);
  expect(decode(body)).toEqual(payload);
  expect(token).toBe(made(HS256, payload));
  expect(await new ExecutorTokens(KEY).verify(token)).toEqual(claims);
});

it.each([
  ["another key", made(HS256, payload, Buffer.from("a key"))],
  ["none", `${part({ alg: "none" })}.${part(payload)}.`],
  ["none, with a signature", made({ alg: "none" }, payload)],
  ["none, capital", `${part({ alg: "None" })}.${part(payload)}.`],
  ["no algorithm", made({ typ: "JWT" }, payload)],
  ["another hash", made({ alg: "HS512" }, payload, KEY, "sha512")],
  ["HS256 said, another hash done", made(HS256, payload, KEY, "sha512")],
  ["an algorithm of key pairs", made({ alg: "RS256" }, payload)],
  ["a critical header", made({ ...HS256, crit: ["x"], x: 1 }, payload)],
  ["claims that were changed", made(HS256, payload).replace(part(payload), part({ ...payload, cid: "d" }))],
  ["no signature", made(HS256, payload).replace(/[^.]*$/, "")],
  ["half of a signature", made(HS256, payload).slice(0, -20)],
  ["two parts", made(HS256, payload).split(".").slice(0, 2).join(".")],
  ["four parts", `${made(HS256, payload)}.x`],
  ["no claims", made(HS256, {})],
  ["a claim too few", made(HS256, { fid: "F", eid: "E" })],
  ["a claim that is a number", made(HS256, { ...payload, cid: 1 })],
  ["an end that is over", made(HS256, { ...payload, exp: 1 })],
  ["no object", `${part(HS256)}.${part("[]")}.x`],
  ["nothing", ""],
  ["a great deal", "x".repeat(20_000)],
])("a token with %s is refused, and nothing of it is told", async (_what, token) => {
  const verdict = await new ExecutorTokens(KEY).verify(token);
  expect(verdict).toEqual({ problem: expect.any(String) });
  if (token !== "") expect(JSON.stringify(verdict)).not.toContain(token.slice(0, 20));
});

it("a key of any length signs, as Mesos takes it", async () => {
  for (const length of [1, 32, 1000]) {
    const tokens = new ExecutorTokens(Buffer.alloc(length, "k"));
    expect(await tokens.verify(await tokens.of(claims))).toEqual(claims);
  }
});
