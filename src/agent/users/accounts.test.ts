import { expect, test } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { Accounts, isNodeExhausted, parseAccount } from "./accounts.ts";

test.for([
  ["EAGAIN", "", true],
  ["ENOMEM", "", true],
  ["EMFILE", "", true],
  [2, "sh: 1: Cannot fork", true],
  [254, "fork: retry: Resource temporarily unavailable", true],
  [2, "", false],
  [1, "id: 'nobody-here': no such user", false],
  ["ENOENT", "", false],
] as const)("%s with %j is the node's own trouble: %s", ([code, stderr, expected]) => {
  expect(isNodeExhausted(code, stderr)).toBe(expected);
});

test("an account is what the database says of exactly that name", () => {
  const entry = "daemon:x:1:2:daemon:/usr/sbin:/usr/sbin/nologin";
  expect(parseAccount("daemon", `${entry}\n2 7 100\n`)).toEqual({ uid: 1, gid: 2, groups: [2, 7, 100] });
  const large = "someone:x:12345:23456::/home/someone:/bin/sh";
  expect(parseAccount("someone", `${large}\n23456 34567`)).toEqual({ uid: 12345, gid: 23456, groups: [23456, 34567] });
  for (const text of [
    "",
    `${entry.replace(":1:", ":1x:")}\n2`,
    `${entry.replace(":1:", ":x1:")}\n2`,
    `${entry.replace(":2:", ":2x:")}\n2`,
    `${entry.replace(":2:", ":x2:")}\n2`,
    `${entry}\nx 2`,
    `${entry}\n2  3`,
    entry,
    `${entry}\n`,
    `${entry}\n2 x`,
    `${entry.replace(":1:", ":-1:")}\n2`,
    `${entry.replace(":2:", "::")}\n2`,
  ])
    expect(parseAccount("daemon", text), text).toBeUndefined();
  expect(parseAccount("1", `${entry}\n2`), "a number is asked for, and is no name").toBeUndefined();
});

test("the system's users are found, and others are not", async () => {
  const accounts = new Accounts(new TestClock());
  expect(await accounts.of("root")).toMatchObject({ uid: 0, gid: 0, groups: expect.arrayContaining([0]) });
  await expect(accounts.of("nobody-of-this-name")).rejects.toThrow(
    /^Failed to find user 'nobody-of-this-name' on this agent \(no such user\): create it/,
  );
});

test.each(["0", "+0", "-1", "a:b", "a/b", "a b", "", "a\0b"])(
  "%j is no name of a user: nobody is asked",
  async (name) => {
    const accounts = new Accounts(new TestClock());
    await expect(accounts.of(name)).rejects.toThrow("(it is not a name of a user)");
  },
);

test("an answer is believed for half a minute, a failure not at all; one question at a time", async () => {
  const clock = new TestClock();
  const asked: string[] = [];
  let fails = true;
  const accounts = new Accounts(clock, async (user) => {
    asked.push(user);
    if (fails) throw new Error("no");
    return { uid: 1, gid: 1, groups: [1] };
  });
  await expect(accounts.of("a")).rejects.toThrow("no");
  fails = false;
  const answers = await Promise.all([accounts.of("a"), accounts.of("a"), accounts.of("b")]);
  expect([asked, answers[0]]).toEqual([["a", "a", "b"], { uid: 1, gid: 1, groups: [1] }]);
  await clock.advance(29_999);
  await accounts.of("a");
  expect(asked).toHaveLength(3);
  await clock.advance(1);
  await accounts.of("a");
  expect(asked).toEqual(["a", "a", "b", "a"]);
});
