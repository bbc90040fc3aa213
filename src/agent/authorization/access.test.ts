import { expect, it } from "vitest";
import { AccessControl, type AccessOptions } from "./access.ts";
import { CredentialCheck, parseHttpCredentials } from "./credentials.ts";
import { ExecutorTokens } from "./executor-tokens.ts";

const file = '{"credentials":[{"principal":"ops","secret":"s"}]}';
const tokens = new ExecutorTokens(Buffer.from("key"));
const claims = { frameworkId: "F", executorId: "E", containerId: "c" };
const token = await tokens.of(claims);
const basic = `Basic ${Buffer.from("ops:s").toString("base64")}`;

const access = (more: Partial<AccessOptions> = {}) =>
  new AccessControl({
    realms: { readonly: true, readwrite: false, executor: true },
    credentials: new CredentialCheck(parseHttpCredentials(file)),
    tokens,
    isRunning: ({ containerId }) => containerId === "c",
    refusals: undefined,
    ...more,
  });

it("a realm that asks nobody takes everybody for nobody, whatever they show", async () => {
  for (const header of [undefined, basic, "Basic wrong", `Bearer ${token}`])
    expect(await access().admit("readwrite", header, undefined)).toEqual({ subject: undefined });
});

it.each([
  [basic, { kind: "principal", name: "ops" }],
  [basic.replace("Basic", "bASIC"), { kind: "principal", name: "ops" }],
  [`Bearer ${token}`, { kind: "executor", claims }],
  [`bearer  ${token} `, { kind: "executor", claims }],
])("%s is %o", async (header, subject) => {
  for (const realm of ["readonly", "executor"] as const)
    expect(await access().admit(realm, header, undefined)).toEqual({ subject });
});

it.each([
  [undefined],
  [""],
  ["Basic"],
  ["Bearer"],
  ["Bearer x y"],
  [token],
  [`Basic ${token}`],
  [`Token ${token}`],
  [`${basic}, Bearer ${token}`],
])("%s is 401, and both ways in are told", async (header) => {
  const challenge = ['Basic realm="mesos-agent-readonly"', 'Bearer realm="mesos-agent-readonly"'];
  expect(await access().admit("readonly", header, undefined)).toEqual({ refused: true, challenge });
});

it("what is not taken is not told, and does not let in", async () => {
  const passwords = access({ tokens: undefined });
  expect(await passwords.admit("executor", `Bearer ${token}`, undefined)).toEqual({
    refused: true,
    challenge: ['Basic realm="mesos-agent-executor"'],
  });
  const tokensOnly = access({ credentials: undefined });
  expect(await tokensOnly.admit("executor", basic, undefined)).toEqual({
    refused: true,
    challenge: ['Bearer realm="mesos-agent-executor"'],
  });
});

it("a token ends with its container", async () => {
  let isRunning = true;
  const control = access({ isRunning: () => isRunning });
  expect(await control.admit("executor", `Bearer ${token}`, undefined)).toEqual({
    subject: { kind: "executor", claims },
  });
  isRunning = false;
  expect(await control.admit("executor", `Bearer ${token}`, undefined)).toMatchObject({ refused: true });
});

it("passwords are replaced as a whole", async () => {
  const control = access();
  control.replace(new CredentialCheck(parseHttpCredentials(file.replace('"s"', '"t"'))));
  expect(await control.admit("readonly", basic, undefined)).toMatchObject({ refused: true });
});
