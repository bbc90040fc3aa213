import { describe, expect, test } from "vitest";
import { hideAll } from "../config/flag.ts";
import { changesOf, encodeChanges } from "./environment.ts";
import { type Environment, profileOf, type Resolution, resolve } from "./resolve.ts";
import { variables } from "./variables.ts";

const run = (environment: Environment, more: Partial<Parameters<typeof resolve>[0]> = {}): Resolution =>
  resolve({
    environment,
    root: "",
    readFile: () => {
      throw new Error("ENOENT");
    },
    localAddress: () => undefined,
    ...more,
  });

const value = (resolution: Resolution, name: string): string | undefined => resolution.settings.get(name)?.value;

test.for([
  ["local", "local"],
  ["PROD", "production"],
  [" Production ", "production"],
  ["dev", "development"],
  ["Development", "development"],
  ["DEBUG", "debug"],
] as const)("ENVIRONMENT=%s is the profile %s", ([given, profile]) => {
  expect(profileOf(given)).toEqual({ profile });
});

test("an unknown environment behaves as local, keeps its name, and says so", () => {
  const resolution = run({ ENVIRONMENT: "staging" });
  expect(resolution.profile).toBe("local");
  expect(value(resolution, "ENVIRONMENT")).toBe("staging");
  expect(value(resolution, "MESOS_WORK_DIR")).toBe("/var/lib/mesos");
  expect(resolution.warnings.join()).toContain("ENVIRONMENT=staging");
});

test("an empty value counts as unset", () => {
  expect(value(run({ APP_NAME: "", ENVIRONMENT: "" }), "APP_NAME")).toBe("mesos-slave");
});

describe("a list", () => {
  test.for([
    ["SERVICE_REDPILL_MONITOR", ",", "mesos"],
    ["SERVICE_REDPILL_MONITOR", " \n", "mesos"],
    ["SERVICE_LOGSTASH_FORWARDER_ADDRESS", " , ", undefined],
    ["MESOS_CONTAINERIZERS", ",,", "docker,mesos"],
    ["SERVICE_LOGSTASH_FORWARDER_SEVERITIES", "FATAL", "INFO"],
  ] as const)("%s=%s is as good as none, and that is said", ([name, given, otherwise]) => {
    const { warnings, environmentValue } = run({ [name]: given });
    expect(environmentValue(name)).toBe(otherwise);
    const instead = otherwise === undefined ? "" : `, which is ${otherwise}`;
    expect(warnings).toContain(`${name}=${given} names none: it is taken as not set${instead}`);
  });

  test("of known words goes without the others, each of which is said", () => {
    const resolution = run({ SERVICE_LOGSTASH_FORWARDER_SEVERITIES: "info, ERORR,Warning" });
    expect(value(resolution, "SERVICE_LOGSTASH_FORWARDER_SEVERITIES")).toBe("info,Warning");
    expect(resolution.warnings).toEqual([
      "SERVICE_LOGSTASH_FORWARDER_SEVERITIES names ERORR: there are INFO, WARNING, ERROR",
    ]);
  });

  test("of right words stays as it was written", () => {
    const given = { SERVICE_REDPILL_MONITOR: "mesos, x y,", SERVICE_LOGSTASH_FORWARDER_SEVERITIES: "error ,INFO" };
    const resolution = run(given);
    for (const [name, text] of Object.entries(given)) expect(value(resolution, name)).toBe(text);
    expect(resolution.warnings).toEqual([]);
  });
});

test.for([
  ["SERVICE_START_RETRIES", " ", "a whole number from 0 to 9999999"],
  ["SERVICE_START_RETRIES", "-1", "a whole number from 0 to 9999999"],
  ["SERVICE_START_RETRIES", "1.5", "a whole number from 0 to 9999999"],
  ["SERVICE_REDPILL_INTERVAL", "\t", "a whole number of seconds or a duration from 1 to 9999999"],
  ["SERVICE_REDPILL_INTERVAL", "0", "a whole number of seconds or a duration from 1 to 9999999"],
  ["SERVICE_REDPILL_INTERVAL", "99999999", "a whole number of seconds or a duration from 1 to 9999999"],
] as const)("%s='%s' is refused with what it may be", ([name, given, what]) => {
  expect(run({ [name]: given }).errors.map(({ message }) => message)).toEqual([`${name}=${given} is not ${what}`]);
});

test("HOST stands in for PARENT_HOST", () => {
  expect(value(run({ HOST: "h" }), "PARENT_HOST")).toBe("h");
  expect(value(run({ HOST: "h", PARENT_HOST: "p" }), "PARENT_HOST")).toBe("p");
});

const withSlips = variables.flatMap(({ name, slips = [], ignored }) =>
  ignored === undefined ? slips.map((slip) => [slip, name] as const) : [],
);

describe.for(withSlips)("%s", ([slip, name]) => {
  test(`is taken as ${name}, with a warning`, () => {
    const resolution = run({ [slip]: "value" });
    expect(value(resolution, name)).toBe("value");
    expect(resolution.removed).toContain(slip);
    expect(resolution.warnings).toContain(`${slip} is taken as ${name}: write ${name}`);
  });

  test("yields to the right name", () => {
    const resolution = run({ [slip]: "wrong", [name]: "right" });
    expect(value(resolution, name)).toBe("right");
    expect(resolution.warnings.join()).toContain(`${slip} is ignored`);
  });
});

test("what nothing reads is said, once, with the nearest name", () => {
  const { warnings } = run(
    { MESOS_WORK_DRI: "x", SERVICE_REDPIL: "x", OTHER: "x", PATH: "x", MESOS_PORT: "1" },
    {
      otherVariables: ["MESOS_PORT"],
    },
  );
  expect(warnings).toEqual([
    "nothing reads MESOS_WORK_DRI: did you mean MESOS_WORK_DIR?",
    "nothing reads SERVICE_REDPIL: did you mean SERVICE_REDPILL?",
  ]);
});

test("secrets by file, of the table and of the agent's flags", () => {
  const readFile = (path: string): string => `content of ${path}\n`;
  const resolution = run(
    { MESOS_CREDENTIAL_FILE: "/a", MESOS_JWT_FILE: "/b" },
    {
      readFile,
      otherSecrets: new Map([["MESOS_JWT", hideAll]]),
    },
  );
  // The agent reads this one from the file itself.
  expect(value(resolution, "MESOS_CREDENTIAL")).toBe("/a");
  expect(resolution.settings.get("MESOS_JWT")).toMatchObject({ value: "content of /b", shown: "********" });
  expect(resolution.removed).toEqual(expect.arrayContaining(["MESOS_CREDENTIAL_FILE", "MESOS_JWT_FILE"]));
  expect(run({ MESOS_CREDENTIAL_FILE: "/none" }).errors[0]?.message).toContain("MESOS_CREDENTIAL_FILE");
});

test("an ignored variable is said to be, and does not reach anybody", () => {
  const resolution = run({ SERVICE_LOGROTATE_CONFIG: "/x" });
  expect(resolution.settings.has("SERVICE_LOGROTATE_CONF")).toBe(false);
  expect(resolution.warnings.join()).toContain("SERVICE_LOGROTATE_CONF is ignored");
});

test("only what changes is handed on", () => {
  const settings = new Map<string, string | undefined>([
    ["A", "same"],
    ["B", "new"],
    ["C", undefined],
    ["D", undefined],
  ]);
  const changes = changesOf({ A: "same", B: "old", C: "gone", E: "left" }, new Map(), settings);
  expect(encodeChanges(changes).toString()).toBe("B=new\0C\0");
});

test("what ENVIRONMENT_INIT unset, set and left, byte for byte", () => {
  const sourced = new Map([
    ["KEPT", Buffer.from("x")],
    ["RAW", Buffer.from([0xff])],
    ["bad.name", Buffer.from("y")],
  ]);
  const changes = changesOf({ KEPT: "x", LOST: "z", SHLVL: "1" }, sourced, new Map());
  expect([...changes]).toEqual([
    ["LOST", undefined],
    ["RAW", Buffer.from([0xff])],
  ]);
});

test.for([
  ["SERVICE_REDPILL_INTERVAL", "30secs", "30"],
  ["SERVICE_REDPILL_INTERVAL", "5m", "300"],
  ["SERVICE_REDPILL_WINDOW", "5mins", "300"],
  ["SERVICE_REDPILL_EXITED", "1500ms", "2"],
  ["SERVICE_REDPILL_CLEANUP_TIMEOUT", "45", "45"],
] as const)("%s=%s is %s seconds", ([name, given, seconds]) => {
  expect(value(run({ [name]: given }), name)).toBe(seconds);
});

test.for([
  ["SERVICE_REDPILL_INTERVAL", "0s"],
  ["SERVICE_REDPILL_INTERVAL", "soon"],
  ["SERVICE_REDPILL_RESTARTS", "5m"],
] as const)("%s=%s is refused", ([name, given]) => {
  expect(run({ [name]: given }).errors[0]?.message).toContain(`${name}=${given} is not`);
});
