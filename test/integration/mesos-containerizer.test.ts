import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MesosContainerizer } from "../../src/agent/containerizer/mesos/containerizer.ts";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import type { Confinement } from "../../src/agent/model/isolation.ts";
import { commandEndMessage } from "../../src/agent/model/wait-status.ts";
import { CommandInfoSchema, ContainerInfo_Type, ContainerInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";
import { needRoot } from "../support/missing.ts";
import { noIsolation } from "../support/no-isolation.ts";

let folder: string;
let containerizer: MesosContainerizer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "containerizer-"));
  execFileSync("chmod", ["755", folder]);
  containerizer = openContainerizer(folder);
});
afterEach(async () => {
  for (const { containerId } of containerizer.running()) {
    await containerizer.destroy(containerId);
    await containerizer.wait(containerId);
  }
  await containerizer.close();
  rmSync(folder, { recursive: true });
});

const go = (spec: ContainerSpec) => containerizer.launch(spec, new AbortController().signal);
const shell = (value: string, more: Partial<ContainerSpec> = {}) =>
  containerSpec(folder, randomUUID(), { value }, more);
const output = ({ sandbox }: ContainerSpec, name = "stdout") => readFileSync(join(sandbox, name), "utf8");

async function ending(spec: ContainerSpec): Promise<number | undefined> {
  await go(spec);
  return (await containerizer.wait(spec.containerId)).status;
}

const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("the true end of a task", () => {
  it.each([
    ["exit 0", 0, "Command exited with status 0"],
    ["exit 3", 3 << 8, "Command exited with status 3"],
    ["exit 137", 137 << 8, "Command exited with status 137"],
    ["exit 130", 130 << 8, "Command exited with status 130"],
    ["kill -9 $$", 9, "Command terminated with signal Killed"],
    ["kill -2 $$", 2, "Command terminated with signal Interrupt"],
    ["kill -13 $$", 13, "Command terminated with signal Broken pipe"],
    ["ulimit -c 0; kill -8 $$", 8, "Command terminated with signal Floating point exception"],
    ["kill -14 $$", 14, "Command terminated with signal Alarm clock"],
    ["ulimit -c 0; kill -11 $$", 11, "Command terminated with signal Segmentation fault"],
  ])("%s", async (value, status, message) => {
    const raw = await ending(shell(value));
    expect(raw).toBe(status);
    expect(commandEndMessage(raw)).toBe(message);
  });

  it("is told when all output is there, also of what the task left behind", async () => {
    const spec = shell("(trap '' HUP; sleep 10; echo late) & setsid sleep 100 & echo $! > pid; echo out; echo err >&2");
    expect(await ending(spec)).toBe(0);
    expect(output(spec)).toBe("out\n");
    expect(output(spec, "stderr")).toBe("err\n");
    expect(alive(Number(output(spec, "pid")))).toBe(false);
  });

  it("says why a program cannot be started", async () => {
    const missing = containerSpec(folder, randomUUID(), { shell: false, value: "no-such-program", arguments: ["x"] });
    await expect(go(missing)).rejects.toThrow(
      "Failed to start the process: execute 'no-such-program': No such file or directory",
    );
    expect(output(missing, "stderr")).toBe("Failed to execute 'no-such-program': No such file or directory\n");
    const noAccess = containerSpec(folder, randomUUID(), { shell: false, value: "/etc/passwd" });
    await expect(go(noAccess)).rejects.toThrow("Permission denied");
    await expect(containerizer.wait(missing.containerId)).rejects.toThrow("unknown");
    expect(existsSync(join(folder, "runtime", "containers", missing.containerId))).toBe(false);
  });
});

describe("what a task is given", () => {
  it("is its environment, byte for byte, and nothing else", async () => {
    const environment = {
      PATH: "/usr/bin:/bin",
      QUOTES: `'"\`$HOME\\`,
      LINES: "one\ntwo\n\nfour\n",
      PERCENT: "%s%n%%",
      UNICODE: "žluťoučký 🐎",
      EMPTY: "",
      "npm_config.strange-name": "kept",
      EQUALS: "a=b=c",
    };
    const spec = containerSpec(folder, randomUUID(), {
      shell: false,
      value: "cat",
      arguments: ["cat", "/proc/self/environ"],
    });
    expect(await ending({ ...spec, environment })).toBe(0);
    const pairs = output(spec).split("\0").filter(Boolean);
    expect(pairs).toEqual(Object.entries(environment).map(([name, value]) => `${name}=${value}`));
  });

  it("is argv as given, argv[0] included", async () => {
    const words = ["other name", "two words", "", "new\nline", "'\"$x"];
    const spec = containerSpec(folder, randomUUID(), {
      shell: false,
      value: "/bin/sh",
      arguments: [words[0] ?? "", "-c", 'cat /proc/$$/cmdline; printf "%s|" "$0" "$@"', ...words.slice(1)],
    });
    expect(await ending(spec)).toBe(0);
    expect(output(spec).startsWith("other name\0-c\0")).toBe(true);
    expect(
      output(spec).endsWith(
        words
          .slice(1)
          .map((word) => `${word}|`)
          .join(""),
      ),
    ).toBe(true);
  });

  it("is a session of its own, its sandbox, and default signals", async () => {
    const spec = shell(
      "pwd; cut -d' ' -f6 /proc/$$/stat; echo $$; grep SigIgn /proc/$$/status; readlink /proc/$$/fd/0",
    );
    expect(await ending(spec)).toBe(0);
    const [cwd, session, pid, ignored, stdin] = output(spec).trim().split("\n");
    expect(cwd).toBe(spec.sandbox);
    expect(session).toBe(pid);
    expect(ignored).toMatch(/^SigIgn:\s+0{16}$/);
    expect(stdin).toBe("/dev/null");
  });

  it("is its user with all groups", async (context) => {
    needRoot(context, "switching users");
    const user = "nobody";
    const spec = shell("id -u; id -ru; id -G; grep ^Groups /proc/self/status; touch mine", { user });
    chownSync(spec.sandbox, Number(execFileSync("id", ["-u", user])), Number(execFileSync("id", ["-g", user])));
    expect(await ending(spec)).toBe(0);
    const id = execFileSync("sh", ["-c", `id -u ${user}; id -u ${user}; id -G ${user}`], { encoding: "utf8" });
    expect(output(spec).startsWith(id)).toBe(true);
    await expect(go(shell("true", { user: "no-such-user" }))).rejects.toThrow("Failed to find user 'no-such-user'");
  });

  it("is never in a file or in a process list of the launcher", async () => {
    const spec = shell("sleep 100");
    const { pid } = await go({ ...spec, environment: { ...spec.environment, PASSWORD: "hunter2hunter2" } });
    const shim = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    expect(readFileSync(`/proc/${shim}/cmdline`, "utf8")).toContain(spec.containerId);
    expect(readFileSync(`/proc/${shim}/cmdline`, "utf8")).not.toContain("hunter2");
    expect(() => execFileSync("grep", ["-r", "hunter2hunter2", folder])).toThrow();
  });

  it("refuses what it cannot give, by name", async () => {
    const container = create(ContainerInfoSchema, {
      type: ContainerInfo_Type.MESOS,
      mesos: { image: { type: 2, docker: { name: "alpine" } } },
    });
    expect(containerizer.accepts(container)).toBe(true);
    await expect(go(shell("true", { container }))).rejects.toThrow("does not support an image");
    await expect(go(shell("true", { environment: { BAD: "a\0b" } }))).rejects.toThrow("NUL");
  });
});

describe("ending a task", () => {
  it("asks first: SIGTERM reaches the whole tree", async () => {
    const spec = shell(
      "trap 'wait; echo told; exit 5' TERM; (trap 'echo child; exit' TERM; echo ready; sleep 100 & wait) & wait",
    );
    await go(spec);
    await until(() => output(spec) === "ready\n");
    await containerizer.stop(spec.containerId, 20_000);
    expect((await containerizer.wait(spec.containerId)).status).toBe(5 << 8);
    expect(output(spec)).toBe("ready\nchild\ntold\n");
  });

  it("kills after the grace, also what left the session", async () => {
    const spec = shell(
      "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & while :; do sleep 1; done",
    );
    await go(spec);
    await until(() => existsSync(join(spec.sandbox, "pid")) && output(spec, "pid") !== "");
    await containerizer.stop(spec.containerId, 60_000);
    await containerizer.stop(spec.containerId, 100);
    expect((await containerizer.wait(spec.containerId)).status).toBe(9);
    expect(alive(Number(output(spec, "pid")))).toBe(false);
  });

  it("leaves the grace to what the task's first process started", async () => {
    const spec = shell("(trap 'sleep 0.3; echo clean; exit' TERM; echo ready; while :; do sleep 0.05; done) & wait");
    await go(spec);
    await until(() => output(spec) === "ready\n");
    await containerizer.stop(spec.containerId, 20_000);
    expect((await containerizer.wait(spec.containerId)).status).toBe(15);
    expect(output(spec)).toBe("ready\nclean\n");
  });

  it("ends a launch that is under way", async () => {
    const destroyed = Promise.withResolvers<Confinement>();
    const held = openContainerizer(folder, { isolation: { ...noIsolation, prepare: () => destroyed.promise } });
    const spec = shell("echo never");
    const launch = held.launch(spec, new AbortController().signal);
    await held.destroy(spec.containerId);
    destroyed.resolve({ controlGroups: [], ownGroup: undefined });
    await expect(launch).rejects.toThrow("destroyed while it was being launched");
    expect(existsSync(join(spec.sandbox, "stdout"))).toBe(false);
    await held.close();
  });
});

describe("commands inside", () => {
  it("run as the container's user, whatever user they name: a check is no way to become root", async (context) => {
    needRoot(context, "another user");
    const spec = shell("sleep 100", { user: "nobody" });
    chownSync(spec.sandbox, Number(execFileSync("id", ["-u", "nobody"])), 0);
    await go(spec);
    for (const user of ["root", "nobody", ""]) {
      const command = create(CommandInfoSchema, { value: 'test "$(id -un)" = nobody', shell: true, user });
      expect(await containerizer.run(spec.containerId, command, 60_000), user).toEqual({ exitCode: 0 });
    }
  });

  it("have the container's environment and their own, an exit code, and a deadline", async () => {
    const spec = shell("sleep 100", { environment: { PATH: "/usr/bin:/bin", COLOUR: "blue" } });
    await go(spec);
    const run = (value: string, milliseconds: number) =>
      containerizer.run(
        spec.containerId,
        create(CommandInfoSchema, { value, shell: true, environment: { variables: [{ name: "N", value: "7" }] } }),
        milliseconds,
      );
    expect(await run('test "$COLOUR$N" = blue7 && test "$PWD" = "$(pwd)"', 60_000)).toEqual({ exitCode: 0 });
    expect(await run("exit 42", 0)).toEqual({ exitCode: 42 });
    expect(await run("kill -9 $$", 60_000)).toEqual({ exitCode: 137 });
    await expect(run("sleep 50 & sleep 50", 200)).rejects.toThrow("timed out after 0.2secs");
  });
});

it("measures the tree", async () => {
  const spec = shell("sleep 100 & sleep 100 & wait");
  const { pid } = await go(spec);
  const shim = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  expect(Number(shim)).toBeGreaterThan(1);
  await until(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").length === 2);
  const usage = await containerizer.usage(spec.containerId);
  expect(usage?.processes).toBe(3);
  expect(usage?.memRssBytes).toBeGreaterThan(100_000n);
  expect((await containerizer.status(spec.containerId)).containerId?.value).toBe(spec.containerId);
});

it("says what to install when perl is missing", async () => {
  const without = openContainerizer(folder, { perl: "no-such-perl" });
  await expect(without.launch(shell("true"), new AbortController().signal)).rejects.toThrow(
    "apt-get install perl-base",
  );
  expect(without.trouble()).toContain("perl-base");
  await without.close();
});

it("keeps files of others", async () => {
  mkdirSync(join(folder, "runtime", "containers", "somebody"), { recursive: true });
  writeFileSync(join(folder, "runtime", "containers", "somebody", "config"), "x");
  await containerizer.recover([]);
  expect(existsSync(join(folder, "runtime", "containers", "somebody", "config"))).toBe(true);
});

it("with a cgroup namespace it sees its own group, which is its user's, and nobody else sees what it mounted", async (context) => {
  needRoot(context, "a control group");
  const [group, at] = [join(folder, "group"), join(folder, "at")];
  for (const made of [group, at]) mkdirSync(made);
  for (const file of ["procs", "threads", "subtree_control", "kill"]) writeFileSync(join(group, `cgroup.${file}`), "");
  const confinement: Confinement = { controlGroups: [join(group, "cgroup.procs")], ownGroup: { path: group, at } };
  const isolation = { ...noIsolation, prepare: async () => confinement, confinement: () => confinement };
  const own = openContainerizer(folder, { isolation });
  const spec = shell(`stat -c '%U %n' ${at} ${at}/cgroup.*; readlink /proc/self/ns/cgroup; sleep 100`, {
    user: "nobody",
  });
  chownSync(spec.sandbox, Number(execFileSync("id", ["-u", "nobody"])), Number(execFileSync("id", ["-g", "nobody"])));
  await own.launch(spec, new AbortController().signal);
  await until(() => output(spec).includes("cgroup:["));
  expect(output(spec).split("\n").slice(0, -2)).toEqual([
    `nobody ${at}`,
    `root ${at}/cgroup.kill`,
    `nobody ${at}/cgroup.procs`,
    `nobody ${at}/cgroup.subtree_control`,
    `nobody ${at}/cgroup.threads`,
  ]);
  expect(output(spec)).not.toContain(readlinkSync("/proc/self/ns/cgroup"));
  expect(readdirSync(at)).toEqual([]);
  const check = create(CommandInfoSchema, { value: `test -e ${at}/cgroup.procs`, shell: true });
  expect(await own.run(spec.containerId, check, 60_000)).toEqual({ exitCode: 0 });
  await own.destroy(spec.containerId);
  await own.wait(spec.containerId);
  await own.close();
});
