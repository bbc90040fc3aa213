import { scryptSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { UserError } from "../../base/errors.ts";
import { CredentialCheck, parseHttpCredentials } from "./credentials.ts";

const SALT = Buffer.from("0123456789abcdef");

/** As passlib and others write it, cheap enough for a test. */
function hashOf(secret: string, ln = 4): string {
  const plain = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
  const hash = scryptSync(secret, SALT, 32, { N: 2 ** ln, r: 8, p: 1 });
  return `$scrypt$ln=${ln},r=8,p=1$${plain(SALT)}$${plain(hash)}`;
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
const file = (...credentials: object[]) => new CredentialCheck(parseHttpCredentials(JSON.stringify({ credentials })));

describe.each([
  ["secrets", file({ principal: "ops", secret: "a:b" }, { principal: "x", secret: "" })],
  ["hashes", file({ principal: "ops", secret_hash: hashOf("a:b") }, { principal: "x", secret_hash: hashOf("") })],
  ["both", file({ principal: "ops", secret: "a:b" }, { principal: "x", secret_hash: hashOf("") })],
])("of a file with %s", (_kind, check) => {
  it.each([
    [basic("ops:a:b"), { principal: "ops" }],
    [basic("x:"), { principal: "x" }],
    [basic("ops:a"), "wrong"],
    [basic("nobody:"), "wrong"],
    [basic("nobody:a:b"), "wrong"],
    [basic("x:a:b"), "wrong"],
    [basic("ops"), "wrong"],
    [basic(""), "wrong"],
    [basic(":"), "wrong"],
    ["Basic", "wrong"],
    ["", "wrong"],
  ])("%s: %o", async (header, expected) => {
    // Twice: what was right is remembered, what was wrong is not taken for it.
    expect(await check.check(header)).toEqual(expected);
    expect(await check.check(header)).toEqual(expected);
  });
});

it("a hash is what other programs make: $scrypt$ln=4,r=8,p=1$…", async () => {
  // python3: hashlib.scrypt(b"secret", salt=b"0123456789abcdef", n=16, r=8, p=1, dklen=32)
  const known = "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$gEeb/KeWbm5g+kBQOFr1yJbkjBxxxDOkhSmrSXFFwOg";
  expect(hashOf("secret")).toBe(known);
  expect(await file({ principal: "p", secret_hash: known }).check(basic("p:secret"))).toEqual({ principal: "p" });
});

it("checks wait for each other, and no more of them than can be borne", async () => {
  const check = file({ principal: "p", secret_hash: hashOf("right", 10) });
  const all = await Promise.all(Array.from({ length: 70 }, (_, index) => check.check(basic(`p:${index}`))));
  expect(all.filter((one) => one === "wrong")).toHaveLength(64);
  expect(all.filter((one) => one === "busy")).toHaveLength(6);
  expect(await check.check(basic("p:right"))).toEqual({ principal: "p" });
});

it("says whether its secrets can be read", () => {
  const secrets = (...credentials: object[]) => parseHttpCredentials(JSON.stringify({ credentials })).hasPlainSecrets;
  expect(secrets({ principal: "a", secret_hash: hashOf("x") })).toBe(false);
  expect(secrets({ principal: "a", secret_hash: hashOf("x") }, { principal: "b", secret: "y" })).toBe(true);
});

it.each([
  ["nonsense", "is not JSON"],
  ["{}", "has no list"],
  ['{"credentials":[{"principal":"a"}]}', "credential 1"],
  ['{"credentials":[null]}', "credential 1"],
  ['{"credentials":[{"principal":"a:b","secret":"hidden"}]}', "has a ':'"],
  ['{"credentials":[{"principal":"a","secret":"hidden"},{"principal":"a","secret":"hidden"}]}', "twice"],
  [`{"credentials":[{"principal":"a","secret":"hidden","secret_hash":"${hashOf("x")}"}]}`, "a secret and a hash"],
  ['{"credentials":[{"principal":"a","secret_hash":"hidden"}]}', "not in the form of scrypt"],
  ['{"credentials":[{"principal":"a","secret_hash":"$scrypt$ln=4,r=8,p=1$aaaa$hidden"}]}', "too short"],
  [`{"credentials":[{"principal":"a","secret_hash":"${hashOf("x").replace("ln=4", "ln=0")}"}]}`, "does not take"],
  ...["r=0,p=1", "r=8,p=0", "r=8,p=5"].map((words) => [
    `{"credentials":[{"principal":"a","secret_hash":"${hashOf("x").replace("r=8,p=1", words)}"}]}`,
    "does not take",
  ]),
  ...["ln=40,r=8", "ln=17,r=9", "ln=18,r=8"].map((words) => [
    `{"credentials":[{"principal":"a","secret_hash":"${hashOf("x").replace("ln=4,r=8", words)}"}]}`,
    "more than 128 MB",
  ]),
  [
    `{"credentials":[{"principal":"a","secret_hash":"${hashOf("x").replace(/\$MDE[^$]*/, "$MDEyMzQ1Ng")}"}]}`,
    "too short",
  ],
])("%s is refused without showing secrets", (text, message) => {
  try {
    parseHttpCredentials(text);
    expect.unreachable();
  } catch (error) {
    expect((error as UserError).text).toContain(message);
    expect((error as UserError).text).not.toContain("hidden");
  }
});
