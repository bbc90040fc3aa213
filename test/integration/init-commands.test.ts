import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { variables } from "../../src/init/variables.ts";
import { Container, canBePid1, childrenOf, makeRoot, whyNoSupervisord } from "../support/container.ts";

const missing = whyNoSupervisord();
const pid1 = canBePid1();
const root = missing === undefined ? await makeRoot(["init", "doctor", "redpill"]) : "";

beforeAll(() => {
  if (missing !== undefined && process.env["CI"]) throw new Error(missing);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

describe("init, doctor and redpill by hand, and files of the user's own", () => {
  test.for(["--check", "--dry-run", "--boot"])("%s hears signals, as PID 1 too", async (flag) => {
    const file = join(root, "endless.sh");
    writeFileSync(file, "echo sourcing; sleep 600\n");
    const words = pid1 ? ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] : [];
    const [command = "", ...rest] = [...words, join(root, "init.sh"), "init", flag];
    const child = spawn(command, rest, {
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: process.env["PATH"], ENVIRONMENT_INIT: file, MESOS_MASTER: "h:1" },
    });
    for await (const chunk of child.stdout) if (String(chunk).includes("sourcing")) break;
    const ended = once(child, "exit");
    process.kill(pid1 ? (childrenOf(child.pid ?? 0)[0] ?? 0) : (child.pid ?? 0), "SIGTERM");
    expect(await ended).toEqual([143, null]);
  });

  test.for([
    ["init", "--dry-rn", "--dry-run"],
    ["init", "--chek", "--check"],
    ["doctor", "--jsn", "--json"],
    ["doctor", "--mastr=x", "--master"],
    ["redpill", "--servce=mesos", "--service"],
  ] as const)("%s %s: the nearest option", ([program, word, near]) => {
    const { status, stderr } = spawnSync(join(root, "opt/mesos-slave/run"), [program, word], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 64, stderr: expect.stringContaining(`did you mean ${near}?`) });
  });

  test.for(["init", "doctor", "redpill"])("%s --version: the project's and Mesos'", (program) => {
    const { status, stdout } = spawnSync(join(root, "opt/mesos-slave/run"), [program, "--version"], {
      encoding: "utf8",
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\w+ \S+ \(Mesos 1\.11\.0\), built [\d: -]+\n$/);
  });

  test("--dry-run prints every setting: the agent's flags that were given, and what is not set", () => {
    const { stdout } = spawnSync(join(root, "init.sh"), ["init", "--dry-run"], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], MESOS_MASTER: "h:1", MESOS_ATTRIBUTES: "rack:7", GLOG_v: "1" },
    });
    expect(stdout).toContain("MESOS_ATTRIBUTES=rack:7  (environment)");
    expect(stdout).toContain("GLOG_v=1  (environment)");
    for (const { name, ignored } of variables) if (!ignored) expect(stdout).toMatch(new RegExp(`^${name}=`, "m"));
  });

  test("a file of the user's own for one of our services is used, and said", async () => {
    const own = join(root, "etc/supervisor/conf.d/mesos.conf");
    writeFileSync(
      own,
      '[program:mesos]\ncommand=/bin/bash -c "echo own service; exec sleep 600"\nstdout_logfile=/dev/fd/1\n',
    );
    try {
      const container = new Container(root, { ENVIRONMENT: "debug", MESOS_MASTER: "h:1" }, { pid1 });
      await container.says(/^\[mesos\] own service$/m);
      container.stop();
      expect((await container.ended).code).toBe(0);
      expect(container.output).toContain(`[Mesos][Own-File] ${own}`);
      expect(container.output).toContain(`${own} is used as it is, instead of init's own`);
      expect(readFileSync(own, "utf8")).toContain("own service");
    } finally {
      rmSync(own);
    }
  });
});
