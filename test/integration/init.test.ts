import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import {
  Container,
  canBePid1,
  childrenOf,
  commandLine,
  environmentOf,
  makeRoot,
  whyNoSupervisord,
} from "../support/container.ts";

const missing = whyNoSupervisord();
const pid1 = canBePid1();
const root = missing === undefined ? await makeRoot() : "";
const stub = '#!/bin/bash\necho "stub $0 $*"\nexec -a "$0 $*" sleep 600\n';

beforeAll(() => {
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    return;
  }
  // The programs that the default commands name, with nothing behind them.
  for (const path of ["usr/local/bin/mesos-slave", "opt/logstash-forwarder/logstash-forwarder"]) {
    writeFileSync(join(root, path), stub);
    chmodSync(join(root, path), 0o755);
  }
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

/** What one life of the container showed. */
interface Seen {
  readonly environment: Map<string, string>;
  readonly commands: Map<string, string>;
  readonly status: string;
  readonly forwarder:
    | { network: Record<string, unknown>; files: { fields: Record<string, string>; paths: string[] }[] }
    | undefined;
  readonly output: string;
  readonly files: string;
  readonly code: number | null;
}

async function live(environment: Record<string, string>): Promise<Seen> {
  const container = new Container(root, { MESOS_MASTER: "10.0.0.1:5050", ...environment }, { pid1 });
  try {
    await container.says(/spawned: 'mesos'/);
    const services = (): number[] => childrenOf(container.supervisord);
    const agent = (): number | undefined =>
      services().find((pid) => commandLine(pid).includes("agent") || commandLine(pid).includes("mesos-slave "));
    while (agent() === undefined || /STARTING|BACKOFF/.test(container.control("status").stdout)) {
      if (/FATAL/.test(container.control("status").stdout)) break;
      await sleep(systemClock, 50);
    }
    const folder = join(root, "etc/supervisor/conf.d");
    const texts = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")] as const);
    const rendered = join(root, "run/logstash-forwarder/mesos-slave.conf");
    const seen = {
      environment: new Map([...environmentOf(agent() ?? 0)].map(([name, value]) => [name, value.toString()])),
      commands: new Map(texts.map(([name, text]) => [name, /^command=(.*)$/m.exec(text)?.[1] ?? ""])),
      status: container.control("status").stdout,
      forwarder: existsSync(rendered) ? JSON.parse(readFileSync(rendered, "utf8")) : undefined,
      files: texts.map(([, text]) => text).join("\n"),
    };
    container.stop();
    const { code } = await container.ended;
    return { ...seen, output: container.output, code };
  } finally {
    await container.kill();
    rmSync(join(root, "run"), { recursive: true, force: true });
  }
}

const ENVIRONMENTS = ["local", "prod", "production", "dev", "development", "debug"] as const;
type Environment = (typeof ENVIRONMENTS)[number];
const SHIPPING: readonly Environment[] = ["prod", "production", "dev", "development"];

const eth0 = networkInterfaces()["eth0"]?.find(({ family }) => family === "IPv4")?.address;

/** seed.md's tables: each variable's documented default; undefined: none. Written by hand, not from the code. */
const DEFAULTS: readonly (readonly [string, (environment: Environment) => string | undefined])[] = [
  ["ENVIRONMENT_INIT", () => undefined],
  ["APP_NAME", () => "mesos-slave"],
  ["ENVIRONMENT", (environment) => environment],
  ["PARENT_HOST", () => "unknown"],
  ["MESOS_LOG_DIR", () => `${root}/var/log/mesos`],
  ["MESOS_WORK_DIR", (environment) => (environment === "local" ? `${root}/var/lib/mesos` : undefined)],
  ["MESOS_CONTAINERIZERS", () => "docker,mesos"],
  ["SERVICE_LOGSTASH_FORWARDER", (environment) => (SHIPPING.includes(environment) ? "enabled" : "disabled")],
  ["SERVICE_LOGSTASH_FORWARDER_CONF", () => `${root}/opt/logstash-forwarder/mesos-slave.conf`],
  ["SERVICE_LOGSTASH_FORWARDER_ADDRESS", () => undefined],
  ["SERVICE_LOGSTASH_FORWARDER_CERT", () => undefined],
  ["SERVICE_REDPILL", (environment) => (environment === "debug" ? "disabled" : "enabled")],
  ["SERVICE_REDPILL_MONITOR", () => "mesos"],
  ["SERVICE_REDPILL_INTERVAL", () => "30"],
  ["SERVICE_REDPILL_CLEANUP", () => undefined],
  ["SERVICE_MESOS_CMD", () => "mesos-slave"],
  ...(eth0 === undefined
    ? []
    : [["MESOS_HOSTNAME", (environment: Environment) => (environment === "local" ? eth0 : undefined)] as const]),
];

/** Another value for each variable, in every profile: it must arrive. */
const GIVEN: Readonly<Record<string, string>> = {
  APP_NAME: "an app",
  PARENT_HOST: "host-1",
  MESOS_HOSTNAME: "node.example",
  MESOS_LOG_DIR: `${root}/tmp/log`,
  MESOS_WORK_DIR: `${root}/tmp/work`,
  MESOS_CONTAINERIZERS: "mesos",
  SERVICE_LOGSTASH_FORWARDER_ADDRESS: "logs.example:5043",
  SERVICE_LOGSTASH_FORWARDER_CERT: "/certs/ca.pem",
  SERVICE_REDPILL_MONITOR: "mesos,logstash-forwarder",
  SERVICE_REDPILL_INTERVAL: "7",
  SERVICE_REDPILL_CLEANUP: "/bin/true",
  SERVICE_MESOS_CMD: `${root}/usr/local/bin/mesos-slave --agent=own 100%%`,
};

describe.for(ENVIRONMENTS)("ENVIRONMENT=%s", (environment) => {
  const lives = new Map<string, Promise<Seen>>();
  const once = (name: string, given: Record<string, string>): Promise<Seen> => {
    const known = lives.get(name) ?? live(given);
    lives.set(name, known);
    return known;
  };
  // `local` is the default: it is not said.
  const profile: Record<string, string> = environment === "local" ? {} : { ENVIRONMENT: environment };
  const quick = { ...profile, SERVICE_START_SECONDS: "0" };
  const defaults = (): Promise<Seen> => once("defaults", profile);
  const others = (): Promise<Seen> =>
    once("others", { ...quick, ...GIVEN, SERVICE_LOGSTASH_FORWARDER: "ENABLED", SERVICE_REDPILL: "Enabled" });
  const ships = SHIPPING.includes(environment);

  test.for(DEFAULTS)("default of %s", async ([name, expected]) => {
    expect((await defaults()).environment.get(name)).toBe(expected(environment));
  });

  test("default services, their commands and their stop", async () => {
    const { status, commands, code } = await defaults();
    const running = (name: string): boolean => new RegExp(`^${name} +RUNNING`, "m").test(status);
    expect(running("mesos")).toBe(true);
    expect(running("logstash-forwarder")).toBe(ships);
    expect(running("redpill")).toBe(environment !== "debug");
    expect(commands.get("mesos.conf")).toBe("mesos-slave");
    expect(commands.get(`redpill.${environment === "debug" ? "disabled" : "conf"}`)).toBe(
      `${root}/opt/scripts/redpill.sh --service mesos --interval 30`,
    );
    const configuration = ships
      ? `${root}/run/logstash-forwarder/mesos-slave.conf`
      : `${root}/opt/logstash-forwarder/mesos-slave.conf`;
    expect(commands.get(`logstash-forwarder.${ships ? "conf" : "disabled"}`)).toBe(
      `${root}/opt/logstash-forwarder/logstash-forwarder -config=${configuration}`,
    );
    expect(code).toBe(0);
  });

  test.for(Object.entries(GIVEN))("%s is never overridden", async ([name, value]) => {
    expect((await others()).environment.get(name)).toBe(value);
  });

  test("given services run as given, and the forwarder's copy says so", async () => {
    const { status, commands, forwarder, output, code } = await others();
    for (const name of ["mesos", "logstash-forwarder", "redpill"])
      expect(status).toMatch(new RegExp(`^${name} +RUNNING`, "m"));
    expect(commands.get("redpill.conf")).toBe(
      `${root}/opt/scripts/redpill.sh --service mesos,logstash-forwarder --interval 7 --cleanup /bin/true`,
    );
    expect(output).toContain("--agent=own 100%");
    expect(forwarder?.network).toMatchObject({
      servers: ["logs.example:5043"],
      "ssl ca": "/certs/ca.pem",
      timeout: 15,
    });
    for (const { fields } of forwarder?.files ?? [])
      expect(fields).toMatchObject({ app_name: "an app", environment, parent_host: "host-1" });
    expect(forwarder?.files[1]?.paths).toEqual([`${root}/tmp/log/*.INFO`]);
    expect(code).toBe(0);
  });

  test("own commands for the forwarder and the watchdog; switched off again", async () => {
    const own = await once("own", {
      ...quick,
      SERVICE_LOGSTASH_FORWARDER: "enabled",
      SERVICE_LOGSTASH_FORWARDER_CMD: '/bin/bash -c "echo own forwarder; exec sleep 600"',
      SERVICE_REDPILL: "enabled",
      SERVICE_REDPILL_CMD: '/bin/bash -c "echo own watchdog; exec sleep 600"',
    });
    expect(own.output).toContain("[logstash-forwarder] own forwarder");
    expect(own.output).toContain("[redpill] own watchdog");
    const off = await once("off", { ...profile, SERVICE_LOGSTASH_FORWARDER: "disabled", SERVICE_REDPILL: "nonsense" });
    expect(off.status).not.toMatch(/logstash-forwarder|redpill/);
    expect(off.output).toContain("SERVICE_REDPILL=nonsense is neither enabled nor disabled");
  });
});

describe("what the boot makes of slips, secrets and files", () => {
  test("the example run command's spellings", async () => {
    const { environment, output } = await live({
      ENVIRONMENT: "debug",
      MESOS_WORKDIR: `${root}/tmp/wd`,
      MESOS_REGISTRATION_TIMEOUT: "5min",
      MESOS_DOCKER_SANDBOX_DIRECTORY: "/data/mesos/sandbox",
      SERICE_LOGSTASH_FORWARDER_ADDRESS: "a:1",
      MESOS_WORK_DRI: "typo",
    });
    expect(environment.get("MESOS_WORK_DIR")).toBe(`${root}/tmp/wd`);
    expect(environment.get("MESOS_EXECUTOR_REGISTRATION_TIMEOUT")).toBe("5min");
    expect(environment.get("MESOS_SANDBOX_DIRECTORY")).toBe("/data/mesos/sandbox");
    expect(environment.get("SERVICE_LOGSTASH_FORWARDER_ADDRESS")).toBe("a:1");
    for (const gone of ["MESOS_WORKDIR", "MESOS_REGISTRATION_TIMEOUT", "MESOS_DOCKER_SANDBOX_DIRECTORY"])
      expect(environment.has(gone)).toBe(false);
    expect(output).toContain("nothing reads MESOS_WORK_DRI: did you mean MESOS_WORK_DIR?");
  });

  test("ENVIRONMENT_INIT is sourced first; what it says wins", async () => {
    const file = join(root, "environment.sh");
    writeFileSync(
      file,
      'echo "sourcing"\nexport ENVIRONMENT=debug APP_NAME="from $APP_NAME"\nMESOS_ATTRIBUTES=rack:1\nunset OTHER\n',
    );
    const { environment, output } = await live({ ENVIRONMENT_INIT: file, APP_NAME: "docker", OTHER: "x" });
    expect(environment.get("APP_NAME")).toBe("from docker");
    expect(environment.get("MESOS_ATTRIBUTES")).toBe("rack:1");
    expect(environment.has("OTHER")).toBe(false);
    expect(output.indexOf("sourcing")).toBeLessThan(output.indexOf("[Init][App-Name]"));
    expect(output).toContain("[Redpill][Status] disabled");
  });

  test("ENVIRONMENT_INIT that is no file: a warning; one that exits: the container says so and ends", async () => {
    const { output, code } = await live({ ENVIRONMENT_INIT: "/no/such/file", ENVIRONMENT: "debug" });
    expect(output).toContain("ENVIRONMENT_INIT=/no/such/file is not a file");
    expect(code).toBe(0);
    const file = join(root, "exits.sh");
    writeFileSync(file, "exit 7\n");
    const container = new Container(root, { ENVIRONMENT_INIT: file }, { pid1 });
    expect((await container.ended).code).toBe(1);
    expect(container.output).toContain("ended the shell that sourced it");
  });

  test("ENVIRONMENT_INIT that Bash cannot read: its complaint and a warning", async () => {
    const file = join(root, "broken.sh");
    writeFileSync(file, "export APP_NAME=before\nif then\n");
    const { output, environment } = await live({ ENVIRONMENT_INIT: file, ENVIRONMENT: "debug" });
    expect(output).toMatch(/broken\.sh: line 2: syntax error/);
    expect(output).toMatch(/\[Init\]\[Warning\] ENVIRONMENT_INIT=\S+ ended with status 2/);
    expect(environment.get("APP_NAME")).toBe("before");
  });

  describe("ENVIRONMENT_INIT that disturbs the shell it runs in", () => {
    const cases: Record<string, string> = {
      "leaves a process in the background": "nohup sleep 40 >/dev/null 2>&1 </dev/null &\n",
      "leaves one that holds the console": "sleep 40 &\n",
      "has a PATH of its own": "export PATH=/opt/nowhere\n",
      "uses descriptor 3, and all others": 'for fd in 3 4 5 6 7 8 9 10 63 200; do eval "exec $fd>&1"; done\n',
      "closes its output": "exec 1>&- 2>&-\n",
      "has set -eux and IFS": "set -eux\nIFS=:\n",
      "overwrites no file (set -C)": "set -o noclobber\n",
      "has functions of the same names": "printf() { :; }\nenv() { :; }\nexport() { :; }\nexec() { :; }\n",
      "has traps of its own": "trap 'echo trapped' EXIT DEBUG\n",
      "is from Windows": "",
    };

    test.for(Object.entries(cases))("%s", async ([name, text]) => {
      const file = join(root, "disturbing.sh");
      const secret = `Sesame-${name.length}`;
      const whole = `${text}MESOS_ATTRIBUTES=rack:7\nMESOS_SECRET=${secret}\n`;
      writeFileSync(file, name === "is from Windows" ? `\ufeff${whole.replaceAll("\n", "\r\n")}` : whole);
      const { environment, output } = await live({ ENVIRONMENT: "debug", ENVIRONMENT_INIT: file });
      expect(environment.get("MESOS_ATTRIBUTES")).toBe("rack:7");
      expect(environment.get("MESOS_SECRET")).toBe(secret);
      if (!text.includes("set -eux")) expect(output).not.toContain(secret);
      if (name === "is from Windows") expect(output).toMatch(/byte order mark[\s\S]*CRLF/);
    });

    test("fails under set -e: the words say so, and the container ends", async () => {
      const file = join(root, "failing.sh");
      writeFileSync(file, "set -e\nTOKEN=Sesame false --password Sesame\nMESOS_ATTRIBUTES=x\n");
      const container = new Container(root, { ENVIRONMENT_INIT: file, MESOS_MASTER: "h:1" }, { pid1 });
      expect((await container.ended).code).toBe(1);
      expect(container.output).toMatch(/false failed with status 1, and under `set -e`/);
      expect(container.output).not.toContain("Sesame");
    });
  });

  test("a stop while ENVIRONMENT_INIT takes long", async () => {
    const file = join(root, "slow.sh");
    writeFileSync(file, "echo begun\nsleep 60\n");
    const container = new Container(root, { ENVIRONMENT_INIT: file }, { pid1 });
    await container.says(/begun/);
    await container.says(/\[Init\]\[Waiting\] ENVIRONMENT_INIT=\S+ has been running for 10 s/);
    container.stop();
    expect((await container.ended).code).toBe(0);
  });

  test("the agent is told which file its secret is in: it enters no environment", async () => {
    const secret = "Xy-zzy-very-secret";
    const file = join(root, "credential");
    writeFileSync(file, `{"principal":"p","secret":"${secret}"}\n`);
    chmodSync(file, 0o600);
    const { environment, output, files } = await live({
      MESOS_CREDENTIAL_FILE: file,
      ENVIRONMENT: "debug",
      MESOS_MASTER: `zk://user:${secret}@10.0.0.1:2181/mesos`,
    });
    expect(environment.get("MESOS_CREDENTIAL")).toBe(file);
    expect(environment.has("MESOS_CREDENTIAL_FILE")).toBe(false);
    expect(output + files).not.toContain(secret);
    const shown = spawnSync(join(root, "init.sh"), ["--dry-run"], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], MESOS_CREDENTIAL_FILE: file, MESOS_MASTER: `zk://user:${secret}@h/m` },
    });
    expect(shown.stdout).toContain(`MESOS_CREDENTIAL=${file}  (environment: as MESOS_CREDENTIAL_FILE)`);
    expect(shown.stdout).not.toContain(secret);
  });

  test.for([
    [
      "both of a secret",
      { MESOS_CREDENTIAL: "x", MESOS_CREDENTIAL_FILE: "/y" },
      /MESOS_CREDENTIAL and MESOS_CREDENTIAL_FILE are both set/,
    ],
    ["two sandbox directories", { MESOS_SANDBOX_DIRECTORY: "/a", MESOS_DOCKER_SANDBOX_DIRECTORY: "/b" }, /differ/],
    ["a lone percent sign", { SERVICE_MESOS_CMD: "mesos-slave 50%" }, /SERVICE_MESOS_CMD has a lone percent sign/],
    ["an open quote", { SERVICE_MESOS_CMD: "mesos-slave 'x" }, /has no closing '/],
    [
      "a name that is not set",
      { SERVICE_MESOS_CMD: "mesos-slave %(ENV_NO_SUCH)s" },
      /%\(ENV_NO_SUCH\)s, which does not exist/,
    ],
    [
      "an interval that is none",
      { SERVICE_REDPILL_INTERVAL: "soon" },
      /SERVICE_REDPILL_INTERVAL=soon is not a whole number/,
    ],
  ] as const)("%s: refused at boot and by --check", async ([, environment, message]) => {
    const container = new Container(root, { ...environment }, { pid1 });
    expect((await container.ended).code).toBe(1);
    expect(container.output).toMatch(message);
    const checked = spawnSync(join(root, "init.sh"), ["--check"], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...environment },
    });
    expect(checked.status).toBe(1);
    expect(checked.stdout).toMatch(message);
  });

  test("a command with a slip: named by --check and at boot", async () => {
    const given = { SERVICE_MESOS_CMD: "mesos-slvae", ENVIRONMENT: "debug" };
    const message = "the command of mesos names mesos-slvae, which is not in PATH: did you mean mesos-slave?";
    const checked = spawnSync(join(root, "init.sh"), ["--check"], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...given },
    });
    expect(checked.status).toBe(1);
    expect(checked.stdout).toContain(`error: ${message}`);
    const container = new Container(root, { ...given, SERVICE_START_RETRIES: "0" }, { pid1 });
    await container.says(/mesos entered FATAL state/);
    container.stop();
    await container.ended;
    expect(container.output).toContain(`[Init][Warning] ${message}`);
  });

  test("--dry-run writes nothing; --json is JSON", () => {
    rmSync(join(root, "run"), { recursive: true, force: true });
    const run = (...words: string[]) =>
      spawnSync(join(root, "init.sh"), words, {
        encoding: "utf8",
        env: { PATH: process.env["PATH"], ENVIRONMENT: "Prod" },
      });
    expect(run("--dry-run").stdout).toContain("SERVICE_LOGSTASH_FORWARDER=enabled  (profile: production)");
    expect(JSON.parse(run("--dry-run", "--json").stdout)).toMatchObject({ profile: "production" });
    expect(existsSync(join(root, "run"))).toBe(false);
    expect(run("--nonsense").status).toBe(64);
  });

  test("any other command is run as it is", () => {
    const { stdout } = spawnSync(join(root, "init.sh"), ["echo", "hello"], { encoding: "utf8" });
    expect(stdout).toBe("hello\n");
  });
});
