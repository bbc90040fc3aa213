import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { FakeProcesses } from "../../../../test/support/process-table.ts";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { Pace } from "../../../base/pace.ts";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  Resource_DiskInfo_Source_Type,
  ResourceSchema,
  RLimitInfo_RLimit_Type,
  RLimitInfoSchema,
  Volume_Mode,
  Volume_Source_SandboxPath_Type,
  Volume_Source_Type,
  type VolumeSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Accounts, parseAccount } from "../../users/accounts.ts";
import { parseEnvironment, parseStat, signalTree, treeUsage, walk } from "./process-table.ts";
import { adoption, type Evidence, foreignAdoption } from "./recovery.ts";
import { checkCommand, commandLine, type ProcessRequest, parseAnswer, startFrame } from "./request.ts";
import { planResourceLimits } from "./rlimits.ts";
import { parseProcesses } from "./runtime-folder.ts";
import { makeVolumes, planVolumes, readOnlyPaths, unsupported } from "./volumes.ts";

describe("requests", () => {
  const request: ProcessRequest = {
    cwd: "/s",
    user: { uid: 1, gid: 2, groups: [2, 3] },
    stdout: "stdout",
    stderr: "stderr",
    rlimits: [{ resource: 7, soft: 10n, hard: undefined }],
    controlGroups: ["/g"],
    readOnly: ["?/v"],
    ownGroup: { path: "/g/leaf", at: "/sys/fs/cgroup" },
    file: "/bin/sh",
    argv: ["sh", "-c", "x"],
    environment: { A: "1\n2" },
  };
  const folders = { container: "/c", ended: "/e", mark: "m" };

  it("are fields between NULs behind a length", () => {
    const frame = startFrame("id", folders, request);
    expect(frame.readUInt32BE()).toBe(frame.length - 4);
    expect(frame.subarray(4).toString().split("\0")).toEqual(
      ["L", "id", "/c", "/e", "m", "", "/s", "1", "2", "2 3", "stdout", "stderr", "7:10:infinity"].concat([
        "/g/leaf",
        "/sys/fs/cgroup",
        "1",
        "/g",
        "1",
        "?/v",
        "/bin/sh",
        "3",
        "sh",
        "-c",
        "x",
        "A=1\n2",
        // Each text ends with NUL, also the last one: the process takes them where they lie.
        "",
      ]),
    );
  });

  it("refuse what no process can be given", () => {
    expect(() => startFrame("id", folders, { ...request, environment: { "A=B": "" } })).toThrow("'A=B' is not a name");
    expect(() => startFrame("id", folders, { ...request, argv: ["a\0b"] })).toThrow("NUL");
    expect(() => startFrame("id", folders, { ...request, argv: ["x".repeat(5_000_000)] })).toThrow("more than");
  });

  it("have the command's two forms", () => {
    expect(commandLine({ shell: true, value: "a b", arguments: ["ignored"] }).argv).toEqual(["sh", "-c", "a b"]);
    expect(commandLine({ shell: false, value: "p", arguments: ["zero", "one"] })).toEqual({
      file: "p",
      argv: ["zero", "one"],
    });
    expect(commandLine({ shell: false, value: "p", arguments: [] }).argv).toEqual(["p"]);
  });

  it("say what to run, be it nothing", () => {
    const check = (command: object) => (): void => checkCommand(create(CommandInfoSchema, command));
    expect(check({ value: "" })).not.toThrow();
    expect(check({ value: "", shell: false })).not.toThrow();
    expect(check({})).toThrow("Shell command is not specified");
    expect(check({ shell: false, arguments: ["a"] })).toThrow("Executable path is not specified");
  });

  it("are answered in lines", () => {
    expect(parseAnswer("S id 10 99 11")).toEqual({ kind: "started", id: "id", shim: 10, since: "99", pid: 11 });
    expect(parseAnswer("F id 2 chdir /x: No such file")).toEqual({
      kind: "failed",
      id: "id",
      errno: 2,
      message: "chdir /x: No such file",
    });
    expect(parseAnswer("R id timeout")).toEqual({ kind: "ran", id: "id", status: "timeout" });
    expect(parseAnswer("garbage")).toBeUndefined();
  });
});

describe("processes", () => {
  it("are read from /proc whatever their name is", () => {
    const rest = "S 1 42 40 0 -1 0 0 0 0 0 150 50 0 0 20 0 3 0 777 1000 25 0";
    expect(parseStat(`42 (a) b (c) ${rest}`)).toMatchObject({
      pid: 42,
      parent: 1,
      session: 40,
      state: "S",
      userTicks: 150,
      systemTicks: 50,
      threads: 3,
      since: "777",
      residentPages: 25,
    });
    expect(parseStat("42 (half")).toBeUndefined();
    expect(parseEnvironment("A=1\0B=a=b\0\0=x\0")).toEqual({ A: "1", B: "a=b" });
  });

  it("are all found below the shim, whatever sessions they made", async () => {
    const table = new FakeProcesses();
    table.add(10, 1);
    for (const [pid, parent] of [
      [11, 10],
      [12, 11],
      [13, 10],
      [14, 12],
    ] as const)
      table.add(pid, parent);
    expect(await walk(table, { shim: 10, pid: 11 })).toEqual([11, 13, 12, 14]);
    expect(await treeUsage(table, { shim: 10, pid: 11 })).toEqual({
      processes: 4,
      threads: 8,
      userSeconds: 4,
      systemSeconds: 2,
      residentBytes: 4 * 40_960,
    });
  });

  it("are taken a few at a time when there are thousands: nothing else waits for them all", async () => {
    const table = new FakeProcesses();
    table.add(10, 1);
    table.add(11, 10);
    // A chain of ten, and the others beside each other.
    for (let pid = 12; pid < 2_011; pid++) table.add(pid, pid < 22 ? pid - 1 : 11);
    const pace = new Pace(64);
    let between = 0;
    const timer = setInterval(() => between++, 0);
    expect((await treeUsage(table, { shim: 10, pid: 11 }, { pace })).processes).toBe(2_000);
    expect(pace.turns).toBeGreaterThanOrEqual(Math.floor(2_000 / 64));
    const before = pace.turns;
    expect(await signalTree(table, { shim: 10, pid: 11 }, "SIGKILL", pace)).toHaveLength(2_000);
    clearInterval(timer);
    // Stopped, killed and let go on, each.
    expect(pace.turns - before).toBeGreaterThanOrEqual(Math.floor((2_000 + 4_000 / 16) / 64));
    expect(table.sent.slice(0, 2_000).every((line) => line.startsWith("SIGSTOP"))).toBe(true);
    expect(between).toBeGreaterThan(0);
  });

  it("cannot fork their way out of a signal", async () => {
    const table = new FakeProcesses();
    table.add(10, 1);
    table.add(11, 10);
    // A child appears between the listing of its grandparent and the stop of its parent.
    table.onSignal = (pid, signal) => {
      if (pid === 11 && signal === "SIGSTOP") table.add(12, 11);
    };
    expect(await signalTree(table, { shim: 10, pid: 11 }, "SIGTERM")).toEqual([11, 12]);
    expect(table.sent).toEqual(["SIGSTOP 11", "SIGSTOP 12", "SIGTERM 11", "SIGTERM 12", "SIGCONT 11", "SIGCONT 12"]);
  });
});

describe("adoption", () => {
  const space = { bootId: "b", pidNamespace: "n" };
  const processes = { shim: 10, since: "5", pid: 11, owner: "me", space };
  const evidence = (more: Partial<Evidence>): Evidence => ({
    status: undefined,
    processes,
    owner: "me",
    sameSpace: true,
    shimAlive: true,
    ...more,
  });
  it.each([
    [{}, { kind: "running", shim: 10, since: "5", pid: 11 }],
    [
      { status: 256, shimAlive: false },
      { kind: "ended", status: 256 },
    ],
    [
      { status: 256, sameSpace: false },
      { kind: "ended", status: 256 },
    ],
    [{ sameSpace: false }, { kind: "ended", status: undefined }],
    [{ shimAlive: false }, { kind: "unsupervised", shim: 10, pid: 11 }],
    [{ owner: "other", status: 0 }, { kind: "unknown" }],
    [{ processes: undefined }, { kind: "unknown" }],
  ])("%j", (more, expected) => {
    expect(adoption(evidence(more))).toEqual(expected);
  });

  it("of a C++ agent's executor needs its sandbox in the environment", async () => {
    const table = new FakeProcesses();
    table.add(20, 1, 20, "7");
    const container = { pid: 20, sandbox: "/s" } as Parameters<typeof foreignAdoption>[1];
    expect(await foreignAdoption(table, container)).toEqual({ kind: "unknown" });
    table.add(21, 20);
    table.environments.set(21, { MESOS_DIRECTORY: "/s" });
    expect(await foreignAdoption(table, container)).toEqual({ kind: "foreign", pid: 20, since: "7" });
  });

  it("believes only whole files", () => {
    expect(parseProcesses("10 5 11 me b n\n")).toEqual(processes);
    for (const text of ["", "10 5 11 me b", "10 5 11 me b n"]) expect(parseProcesses(text)).toBeUndefined();
  });
});

describe("volumes", () => {
  type Init = MessageInitShape<typeof VolumeSchema>;
  const plan = (...volumes: Init[]) =>
    planVolumes(create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, volumes }), [], "/s", "/w/volumes");
  const source = (type: Volume_Source_Type, more: object) => ({ source: { type, ...more } });

  it("are folders and links of the sandbox", () => {
    expect(
      plan(
        { containerPath: "data", hostPath: "/srv/data" },
        { containerPath: "a/b", hostPath: "own" },
        { containerPath: "scratch" },
        { containerPath: "/srv", hostPath: "/srv" },
        { containerPath: "/etc", hostPath: "/etc", mode: Volume_Mode.RO },
        { containerPath: "ro", hostPath: "/usr", mode: Volume_Mode.RO },
      ),
    ).toEqual([
      { kind: "link", path: "data", target: "/srv/data" },
      { kind: "folder", path: "own" },
      { kind: "link", path: "a/b", target: "/s/own" },
      { kind: "folder", path: "scratch" },
      { kind: "same", path: "/srv", target: "/srv" },
      { kind: "same", path: "/etc", target: "/etc", readOnly: "must" },
      { kind: "link", path: "ro", target: "/usr", readOnly: "must" },
    ]);
  });

  it("are read-only where they must be, and where a framework wishes it", () => {
    const steps = plan(
      { containerPath: "ro", hostPath: "/usr", mode: Volume_Mode.RO },
      { containerPath: "rw", hostPath: "/srv" },
    );
    expect(readOnlyPaths(steps)).toEqual(["!/usr"]);
    const disk = (mode: Volume_Mode) =>
      create(ResourceSchema, {
        name: "disk",
        reservations: [{ role: "r" }],
        disk: { persistence: { id: "p" }, volume: { containerPath: "data", mode } },
      });
    expect(readOnlyPaths(planVolumes(undefined, [disk(Volume_Mode.RO)], "/s", "/w/volumes"))).toEqual([
      "?/w/volumes/roles/r/p",
    ]);
    expect(readOnlyPaths(planVolumes(undefined, [disk(Volume_Mode.RW)], "/s", "/w/volumes"))).toEqual([]);
  });

  it("show persistent ones by role, of every disk source", () => {
    const persistent = (more: object) =>
      create(ResourceSchema, {
        name: "disk",
        reservations: [{ role: "eng/dev" }],
        disk: { persistence: { id: "p1" }, volume: { containerPath: "data", mode: Volume_Mode.RW }, ...more },
      });
    const { PATH, MOUNT } = Resource_DiskInfo_Source_Type;
    const targets = [
      {},
      { source: { type: PATH, path: { root: "/d" } } },
      { source: { type: MOUNT, mount: { root: "/m" } } },
    ].map((more) => planVolumes(undefined, [persistent(more)], "/s", "/w/volumes")[0]);
    expect(targets.map((step) => step?.kind === "link" && step.target)).toEqual([
      "/w/volumes/roles/eng dev/p1",
      "/d/volumes/roles/eng dev/p1",
      "/m",
    ]);
  });

  it.each([
    [{ containerPath: "a", hostPath: "b", mode: Volume_Mode.RO }, "read-only part of the sandbox"],
    [{ containerPath: "a", mode: Volume_Mode.RO }, "read-only part of the sandbox"],
    [{ containerPath: "../a", hostPath: "/b" }, "not a path within the sandbox"],
    [{ containerPath: "a", hostPath: "../b" }, "not a path within the sandbox"],
    [{ containerPath: "a", image: { type: 2 } }, "is an image"],
    [{ containerPath: "a", ...source(Volume_Source_Type.SECRET, {}) }, "SECRET"],
    [
      {
        containerPath: "a",
        ...source(Volume_Source_Type.SANDBOX_PATH, {
          sandboxPath: { type: Volume_Source_SandboxPath_Type.PARENT, path: "x" },
        }),
      },
      "parent's sandbox",
    ],
  ] as [Init, string][])("%j is refused", (volume, why) => {
    expect(() => plan(volume)).toThrow(why);
  });

  it("are never made through a link that leads out", () => {
    const folder = mkdtempSync(join(tmpdir(), "volumes-"));
    const sandbox = join(folder, "sandbox");
    mkdirSync(join(folder, "outside/sub"), { recursive: true });
    mkdirSync(sandbox);
    symlinkSync(join(folder, "outside"), join(sandbox, "door"));
    const make = (path: string, kind: "link" | "folder" = "link") =>
      makeVolumes([{ kind, path, target: folder }], { sandbox }, undefined);
    make("in/side");
    expect(readlinkSync(join(sandbox, "in/side"))).toBe(folder);
    make("in/side");
    expect(() => make("door/sub/x")).toThrow("leads out of the sandbox");
    expect(() => make("door/new/deeper", "folder")).toThrow("leads out of the sandbox");
    expect(readdirSync(join(folder, "outside"))).toEqual(["sub"]);
    expect(() => make("door")).toThrow("exists in the sandbox already");
    expect(() => makeVolumes([{ kind: "link", path: "n", target: "/no/such" }], { sandbox }, undefined)).toThrow(
      "does not exist",
    );
    rmSync(folder, { recursive: true });
  });

  it("and the rest that needs namespaces are named", () => {
    const info = (more: object) => create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS, ...more });
    expect(unsupported(undefined)).toBeUndefined();
    expect(unsupported(info({}))).toBeUndefined();
    expect(unsupported(info({ networkInfos: [{ name: "net" }] }))).toBe("a named network");
    expect(unsupported(info({ ttyInfo: {} }))).toBeUndefined();
    expect(unsupported(info({ hostname: "h" }))).toBe("a hostname of its own");
  });
});

it("plans resource limits", () => {
  const plan = (limit: object) => planResourceLimits(create(RLimitInfoSchema, { rlimits: [limit] }));
  const type = RLimitInfo_RLimit_Type.RLMT_NOFILE;
  expect(plan({ type, soft: 1n, hard: 2n })).toEqual([{ resource: 7, soft: 1n, hard: 2n }]);
  expect(plan({ type })).toEqual([{ resource: 7, soft: undefined, hard: undefined }]);
  expect(() => plan({ type, soft: 1n })).toThrow("RLMT_NOFILE needs both");
  expect(() => plan({ type, soft: 3n, hard: 2n })).toThrow("above");
  expect(() => plan({})).toThrow("UNKNOWN is unknown");
});

it("asks for a user once in half a minute, and again after a failure", async () => {
  const root = "root:x:0:0:root:/root:/bin/bash\n0 4 24\n";
  expect(parseAccount("root", root)).toEqual({ uid: 0, gid: 0, groups: [0, 4, 24] });
  // getent(1) takes a number for a user, too.
  for (const user of ["0", "+0", "00", "Root", "root "]) expect(parseAccount(user, root)).toBeUndefined();
  expect(parseAccount("x", "id: no such user")).toBeUndefined();
  const clock = new TestClock();
  let asked = 0;
  const accounts = new Accounts(clock, async () => {
    asked++;
    if (asked === 1) throw new Error("not now");
    return { uid: 1, gid: 1, groups: [] };
  });
  await expect(accounts.of("u")).rejects.toThrow("not now");
  await Promise.all([accounts.of("u"), accounts.of("u")]);
  expect(asked).toBe(2);
  await clock.advance(30_000);
  await accounts.of("u");
  expect(asked).toBe(3);
});
