import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import {
  Container,
  canBePid1,
  childrenOf,
  commandLine,
  environmentOf,
  makeRoot,
  whyNoSupervisord,
  zombiesBelow,
} from "../support/container.ts";
import { missing as whatIsMissing } from "../support/missing.ts";

const missing = whyNoSupervisord();
const pid1 = canBePid1();
let root = "";
let running: Container | undefined;

const AGENT = '/bin/bash -c "echo agent is up; exec sleep 600"';

function start(environment: Record<string, string> = {}): Container {
  running = new Container(root, { MESOS_MASTER: "127.0.0.1:5050", SERVICE_MESOS_CMD: AGENT, ...environment }, { pid1 });
  return running;
}

beforeAll(async () => {
  if (missing === undefined) root = await makeRoot();
  else if (process.env["CI"]) throw new Error(missing);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterEach(async () => {
  await running?.kill();
  running = undefined;
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

function script(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, `#!/bin/bash\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** The agent's process, once it is the program that AGENT turns into. */
async function agentOf(container: Container): Promise<number> {
  for (;;) {
    const pid = childrenOf(container.supervisord).find((child) => commandLine(child).includes("sleep 600"));
    if (pid !== undefined) return pid;
    await sleep(systemClock, 20);
  }
}

const count = (text: string, pattern: RegExp): number => [...text.matchAll(new RegExp(pattern, "g"))].length;

describe("a service that fails", () => {
  test("FATAL: clean-up once, exit code 70 within a second, the service named", async () => {
    const cleanup = script("cleanup.sh", 'echo "cleaning up after: $REDPILL_REASON"');
    const took: number[] = [];
    // A busy machine is late now and then; what the programs themselves wait for, they wait for each time.
    while (took.length < 3 && !took.some((milliseconds) => milliseconds < 1000)) {
      const container = start({
        SERVICE_MESOS_CMD: '/bin/bash -c "echo cannot work >&2; exit 3"',
        SERVICE_START_RETRIES: "1",
        SERVICE_REDPILL_CLEANUP: cleanup,
      });
      await container.says(/entered FATAL state/);
      const since = systemClock.monotonic();
      expect(await container.ended).toEqual({ code: 70, signal: null });
      took.push(systemClock.monotonic() - since);
      expect(count(container.output, /cleaning up after: mesos entered the FATAL state/)).toBe(1);
      expect(container.output).toMatch(/\[redpill\] {3}cannot work/);
      expect(container.output).toContain("[Init][Exit] 70: mesos entered the FATAL state");
    }
    expect(Math.min(...took)).toBeLessThan(1000);
  });

  test("a command that does not exist: the reason is said", async () => {
    const container = start({ SERVICE_MESOS_CMD: "/no/such/agent", SERVICE_START_RETRIES: "0" });
    expect((await container.ended).code).toBe(70);
    expect(container.output).toContain("the command of mesos names /no/such/agent, which is not an executable file");
    expect(container.output).toMatch(
      /\[Init\]\[Exit\] 70: mesos entered .* \(can't find command '\/no\/such\/agent'\)/,
    );
  });

  test("a crash loop that supervisord never calls FATAL ends with 71", async () => {
    const container = start({
      SERVICE_MESOS_CMD: '/bin/bash -c "sleep 0.3; exit 3"',
      SERVICE_START_SECONDS: "0",
      SERVICE_REDPILL_RESTARTS: "3",
    });
    expect((await container.ended).code).toBe(71);
    expect(container.output).toContain("mesos ended 3 times within 300 s");
  });

  test("an agent that ends with 0 is not restarted: 72 after the time allowed", async () => {
    const container = start({
      SERVICE_MESOS_CMD: '/bin/bash -c "sleep 0.3"',
      SERVICE_START_SECONDS: "0",
      SERVICE_REDPILL_EXITED: "1",
    });
    expect((await container.ended).code).toBe(72);
    expect(container.output).toContain("mesos ended with exit code 0 and is not restarted");
  });

  test("debug: a failed service leaves the container up", async () => {
    const container = start({ ENVIRONMENT: "debug", SERVICE_MESOS_CMD: "/no/such", SERVICE_START_RETRIES: "0" });
    await container.says(/entered FATAL state/);
    expect(container.control("status", "mesos").stdout).toContain("FATAL");
    container.stop();
    expect(await container.ended).toEqual({ code: 0, signal: null });
  });

  test("a clean-up that hangs is cut, and the exit code stays", async () => {
    const container = start({
      SERVICE_MESOS_CMD: "/no/such",
      SERVICE_START_RETRIES: "0",
      SERVICE_REDPILL_CLEANUP: script("hang.sh", "sleep 600 & sleep 600"),
      SERVICE_REDPILL_CLEANUP_TIMEOUT: "1",
    });
    expect((await container.ended).code).toBe(70);
    expect(container.output).toContain("longer than 1 s: killed");
  });

  test("a killed watchdog is started again and still sees the failure", async () => {
    const container = start({ SERVICE_REDPILL_INTERVAL: "1" });
    await container.says(/redpill entered RUNNING[\s\S]*mesos entered RUNNING/);
    const watchdog = childrenOf(container.supervisord).find((pid) => commandLine(pid).includes("redpill")) ?? 0;
    process.kill(watchdog, "SIGKILL");
    await container.says(/watching mesos[\s\S]*watching mesos/);
    expect(container.control("status", "redpill").stdout).toMatch(/RUNNING|STARTING/);
  });

  test("a watchdog command of the user's own runs as a plain program", async () => {
    const own = script("own-redpill.sh", 'echo "own watchdog $*"; exec sleep 600');
    const container = start({ SERVICE_REDPILL_CMD: `${own} -s mesos 100%%` });
    await container.says(/\[redpill\] own watchdog -s mesos 100%/);
    expect(readFileSync(join(root, "etc/supervisor/conf.d/redpill.conf"), "utf8")).toContain("[program:redpill]");
  });
});

describe("a stop on purpose", () => {
  test("clean-up once, exit code 0", async () => {
    const container = start({ SERVICE_REDPILL_CLEANUP: script("stop-cleanup.sh", "echo cleaned up") });
    await container.says(/watching mesos/);
    container.stop();
    expect(await container.ended).toEqual({ code: 0, signal: null });
    expect(count(container.output, /cleaned up/)).toBe(1);
  });

  test("SIGINT does the same", async () => {
    const container = start();
    await container.says(/watching mesos/);
    container.stop("SIGINT");
    expect(await container.ended).toEqual({ code: 0, signal: null });
  });

  test("while the agent backs off: no verdict, exit code 0", async () => {
    const container = start({ SERVICE_MESOS_CMD: '/bin/bash -c "exit 3"' });
    await container.says(/exited: mesos/);
    container.stop();
    expect((await container.ended).code).toBe(0);
    expect(existsSync(join(root, "run/redpill.verdict"))).toBe(false);
  });

  test("three deaf services: within Docker's 10 s, exit code 0, the clean-up cut in time", async () => {
    const container = start({
      SERVICE_MESOS_CMD: `/bin/bash -c "trap '' TERM; echo agent is deaf; while :; do sleep 1; done"`,
      SERVICE_LOGSTASH_FORWARDER: "enabled",
      SERVICE_LOGSTASH_FORWARDER_CMD: `/bin/bash -c "trap '' TERM; echo forwarder is deaf; while :; do sleep 1; done"`,
      SERVICE_REDPILL_CLEANUP: script("slow.sh", "trap '' TERM; echo begun; sleep 600"),
    });
    await container.says(/watching mesos/);
    await container.says(/agent is deaf/);
    await container.says(/forwarder is deaf/);
    const since = systemClock.monotonic();
    container.stop();
    expect(await container.ended).toEqual({ code: 0, signal: null });
    expect(systemClock.monotonic() - since).toBeLessThan(10_000);
    expect(count(container.output, /begun/)).toBe(1);
  });

  test("at every 50 ms of the first 3 s: exit code 0, clean-up once if services ran", {
    timeout: 600_000,
  }, async () => {
    const moments = Array.from({ length: 60 }, (_, index) => 50 * (index + 1));
    // Four containers at a time, each with a root of its own.
    const roots = ["a", "b", "c", "d"].map((name) => {
      const own = `${root}-${name}`;
      cpSync(root, own, { recursive: true, verbatimSymlinks: true });
      return own;
    });
    const liveOn = async (own: string): Promise<void> => {
      for (let after = moments.shift(); after !== undefined; after = moments.shift()) {
        const environment = { MESOS_MASTER: "h:1", SERVICE_MESOS_CMD: AGENT, SERVICE_REDPILL_CLEANUP: cleanup };
        const container = new Container(own, environment, { pid1 });
        await sleep(systemClock, after);
        const since = systemClock.monotonic();
        container.stop();
        const { code } = await container.ended;
        const quick = systemClock.monotonic() - since < 10_000;
        const cleaned = count(container.output, /cleaned up/);
        const once = container.output.includes("supervisord started") ? cleaned === 1 : cleaned <= 1;
        expect({ after, code, quick, once }, container.output).toEqual({ after, code: 0, quick: true, once: true });
      }
    };
    const cleanup = script("early-cleanup.sh", "echo cleaned up");
    try {
      await Promise.all(roots.map(liveOn));
    } finally {
      for (const own of roots) rmSync(own, { recursive: true, force: true });
    }
  });
});

describe("the process tree", () => {
  test("a supervisord that is killed: the container says so and ends with its status", async (context) => {
    if (!pid1) whatIsMissing(context, "the services of a killed supervisord end only with a namespace of their own");
    const cleanup = script("killed-cleanup.sh", "sleep 0.5; echo cleaned up");
    const container = start({ SERVICE_REDPILL_CLEANUP: cleanup });
    await container.says(/watching mesos/);
    process.kill(container.supervisord, "SIGKILL");
    expect((await container.ended).code).toBe(137);
    expect(container.output).toContain("[Init][Exit] 137: supervisord ended by itself");
    expect(count(container.output, /cleaned up/)).toBe(1);
  });

  test("10,000 orphans leave no zombie", async () => {
    const orphans = script(
      "orphans.sh",
      "for ((i = 0; i < 10000; i++)); do (: &); done; sleep 1; echo all orphaned; exec sleep 600",
    );
    const container = start({ SERVICE_MESOS_CMD: orphans });
    await container.says(/all orphaned/);
    expect(zombiesBelow(container.pid)).toEqual([]);
    container.stop();
    expect((await container.ended).code).toBe(0);
  });

  test("supervisord's socket is root's alone", async () => {
    const container = start();
    await container.says(/watching mesos/);
    const { statSync } = await import("node:fs");
    expect(statSync(join(root, "run/supervisor.sock")).mode & 0o777).toBe(0o700);
  });

  test("every line of a dying program is kept and named, its last one without newline too", async () => {
    const noisy = script(
      "noisy.sh",
      'if [ -e "$INIT_ROOT/noisy.done" ]; then exec sleep 600; fi; touch "$INIT_ROOT/noisy.done"; for ((i = 1; i <= 20000; i++)); do echo "line $i"; done; printf "the end"; exit 3',
    );
    const container = start({ SERVICE_MESOS_CMD: noisy, SERVICE_START_SECONDS: "0" });
    await container.says(/\[mesos\] the end\n/);

    const lines = container.output.split("\n").filter((line) => /^\[mesos\] line \d+$/.test(line));
    expect(lines).toHaveLength(20_000);
    expect(container.control("tail", "mesos").stdout).toContain("the end");
  });

  test("SERVICE_LOG_PREFIX=disabled: lines as they are", async () => {
    const container = start({ SERVICE_LOG_PREFIX: "disabled" });
    await container.says(/^agent is up$/m);
    expect(container.output).not.toContain("[mesos]");
  });

  test("a supervisord with another inside still runs, and its output still comes", async () => {
    const module = join(root, "usr/lib/python3/dist-packages/mesos_slave_supervisor.py");
    const whole = readFileSync(module, "utf8");
    writeFileSync(module, whole.replace('["self", "data"]', '["self", "other"]'));
    try {
      const container = start();
      await container.says(/^agent is up$/m);
      expect(container.output).toContain("POutputDispatcher is not as expected; continuing without");
      container.stop();
      expect((await container.ended).code).toBe(0);
    } finally {
      writeFileSync(module, whole);
    }
  });
});

describe("values reach the services unharmed", () => {
  const hostile: Record<string, string> = {
    percent: "100% %s %(x)s %%",
    quotes: `"double" 'single' \`back\``,
    newline: "one\n[program:evil]\ncommand=/bin/false",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell must not see it
    shell: "$(touch /tmp/never) ${HOME} $HOME ; # | &",
    unicode: "grüße 世界 🎉 \u2028",
    backslash: "ends with \\",
    spaces: "  around  ",
  };

  test.for(Object.entries(hostile))("%s", async ([, value]) => {
    const container = start({ APP_NAME: value, PARENT_HOST: value, MESOS_ATTRIBUTES: value, OTHER: value });
    await container.says(/\[mesos\] agent is up/);
    const environment = environmentOf(await agentOf(container));
    for (const name of ["APP_NAME", "PARENT_HOST", "MESOS_ATTRIBUTES", "OTHER"])
      expect(environment.get(name)?.toString()).toBe(value);
    expect(container.control("status").stdout).not.toContain("evil");
    for (const name of environment.keys()) expect(name).not.toMatch(/^(INIT_NEWLINE|INIT_CLEANUP|PYTHONPATH)$/);
  });

  test.for(Object.entries(hostile))("%s as an argument of a command", async ([, value]) => {
    const show = script("show.sh", 'printf "got <%s>" "$2"; exec sleep 600');
    const quoted = `'${value.replaceAll("'", `'"'"'`)}'`.replaceAll("%", "%%");
    const container = start({ SERVICE_MESOS_CMD: `${show} "a ; b" ${quoted}` });
    await container.says(/watching mesos/);
    await agentOf(container);
    container.stop();
    await container.ended;
    const shown = container.output
      .split("\n")
      .filter((line) => line.startsWith("[mesos] "))
      .map((line) => line.slice("[mesos] ".length))
      .join("\n");
    expect(shown).toContain(`got <${value}>`);
  });

  test("bytes that are no UTF-8", async () => {
    const file = join(root, "init-env.sh");
    writeFileSync(file, Buffer.from("export BYTES=$'\\xff\\xfe'\nMESOS_ATTRIBUTES=only:set\n"));
    const container = start({ ENVIRONMENT_INIT: file });
    await container.says(/\[mesos\] agent is up/);
    const environment = environmentOf(await agentOf(container));
    expect(environment.get("BYTES")).toEqual(Buffer.from([0xff, 0xfe]));
    expect(environment.get("MESOS_ATTRIBUTES")?.toString()).toBe("only:set");
  });
});
