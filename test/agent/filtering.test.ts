import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAcls } from "../../src/agent/authorization/acls.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";
import { authorizationOf, CREDENTIALS } from "./permissions/deeds.ts";

/** Words that are alice's and bob's alone, wherever they are put. */
const wordsOf = (user: string) => ({
  framework: `${user}-framework`,
  running: `${user}-running`,
  ended: `${user}-ended`,
  secret: `${user}-secret`,
  label: `${user}-label`,
});
const [ALICE, BOB] = [wordsOf("alice"), wordsOf("bob")];
/** CPUs of each: what is added up says whose they are. */
const CPUS = { alice: 1.25, bob: 2.5 };

const ANY = { type: "ANY" };
const onAlices = (principal: string) => [{ principals: { values: [principal] }, users: { values: ["alice"] } }];
const everything = (principal: string) => [{ principals: { values: [principal] }, users: ANY }];
const rules = (action: string) => ({ [action]: [...onAlices("dev"), ...everything("ops")] });

let test: AgentUnderTest;

async function runsTasksOf(user: "alice" | "bob"): Promise<void> {
  const { framework: id, running, ended, secret, label } = wordsOf(user);
  const options = { framework: framework({ id, user }) };
  const task = (name: string) =>
    commandTask(name, {
      command: { value: `echo ${secret}`, environment: { variables: [{ name: secret, value: secret }] } },
      labels: { labels: [{ key: label, value: label }] },
      resources: [{ name: "cpus", type: 0, scalar: { value: CPUS[user] } }] as never,
    });
  await test.running(running, TaskState.TASK_RUNNING, options, task(running));
  await test.running(ended, TaskState.TASK_RUNNING, options, task(ended));
  test.machine.containerOf(ended)?.end(7 << 8);
  await test.master.status(ended, TaskState.TASK_FAILED);
}

beforeAll(async () => {
  test = await AgentUnderTest.open();
  const [logs, passwords] = [join(test.folder, "log"), join(test.folder, "credentials")];
  mkdirSync(logs);
  writeFileSync(join(logs, "mesos-slave.INFO"), `${BOB.secret}\n`);
  writeFileSync(passwords, JSON.stringify(CREDENTIALS), { mode: 0o600 });
  const acls = {
    permissive: false,
    ...rules("view_frameworks"),
    ...rules("view_executors"),
    ...rules("view_tasks"),
    ...rules("view_containers"),
    ...rules("access_sandboxes"),
    get_endpoints: [{ principals: ANY, paths: ANY }],
    run_tasks: [{ principals: ANY, users: ANY }],
    view_flags: [{ principals: { values: ["ops"] }, flags: ANY }],
    view_roles: [{ principals: { values: ["ops"] }, roles: ANY }],
    access_mesos_logs: [{ principals: { values: ["ops"] }, logs: ANY }],
  };
  await test.start({
    flags: [
      `--log_dir=${logs}`,
      `--http_credentials=${passwords}`,
      "--authenticate_http_readonly",
      "--authenticate_http_readwrite",
      `--acls=${JSON.stringify(acls)}`,
    ],
    resources: "cpus:10;mem:10000;cpus(bobs-role):3",
    createSandbox: (directory) => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "stdout"), directory.includes("bob") ? BOB.secret : ALICE.secret);
    },
  });
  await test.register();
  for (const user of ["alice", "bob"] as const) await runsTasksOf(user);
});
afterAll(() => test.close());

async function ask(principal: "ops" | "dev" | "guest", path: string, body?: object): Promise<string> {
  const headers = { authorization: authorizationOf(principal) ?? "" };
  const json = { ...headers, "content-type": "application/json", accept: "application/json" };
  const url = `http://127.0.0.1:${test.port}${path}`;
  const answer = await fetch(
    url,
    body === undefined ? { headers } : { method: "POST", headers: json, body: JSON.stringify(body) },
  );
  return `${answer.status} ${await answer.text()}`;
}
const call = (type: string, more: object = {}) => ({ type, ...more });

/** Everything that shows work, as it is asked. */
const SHOWS: readonly (readonly [path: string, body?: object])[] = [
  ["/state"],
  ["/tasks"],
  [`/tasks?task_id=${BOB.running}`],
  [`/tasks?task_id=${BOB.ended}`],
  ["/containers"],
  ["/monitor/statistics"],
  ["/metrics/snapshot"],
  ["/metrics/prometheus"],
  ["/files/debug"],
  ["/node"],
  ["/health/details"],
  ["/api/v1", call("GET_STATE")],
  ["/api/v1", call("GET_TASKS")],
  ["/api/v1", call("GET_EXECUTORS")],
  ["/api/v1", call("GET_FRAMEWORKS")],
  ["/api/v1", call("GET_CONTAINERS", { get_containers: {} })],
  ["/api/v1", call("GET_METRICS", { get_metrics: {} })],
  ["/api/v1", call("GET_AGENT")],
  ["/api/v1", call("GET_OPERATIONS")],
];
const nameOf = (path: string, body?: object): string => (body as { type?: string } | undefined)?.type ?? path;

describe("who may see alice's", () => {
  it.each(SHOWS.map(([path, body]) => ({ path, body })))(
    "finds nothing of bob's at $path $body",
    async ({ path, body }) => {
      const text = await ask("dev", path, body);
      expect(text.slice(0, 3), nameOf(path, body)).toBe("200");
      // Random bytes in base64 have the three letters in one of some hundred answers.
      expect(text.replaceAll(/"uuid":"[^"]*"|_uuid":"[^"]*"/g, "").toLowerCase()).not.toContain("bob");
    },
  );

  it("finds alice's, and ops finds both", async () => {
    for (const [path, body] of SHOWS.filter(([path, body]) =>
      ["/state", "/tasks", "/files/debug", "GET_STATE", "GET_TASKS", "GET_EXECUTORS"].includes(nameOf(path, body)),
    )) {
      const [dev, ops] = [await ask("dev", path, body), await ask("ops", path, body)];
      for (const text of [dev, ops]) expect(text, nameOf(path, body)).toContain(ALICE.running);
      expect(ops, nameOf(path, body)).toContain(BOB.running);
      if (!path.startsWith("/files")) expect(ops, nameOf(path, body)).toContain(BOB.ended);
    }
  });

  it("finds sums of what is shown, and of nothing else", async () => {
    const parsed = (text: string) => JSON.parse(text.slice(4)) as Record<string, never>;
    const dev = parsed(await ask("dev", "/state"));
    const ops = parsed(await ask("ops", "/state"));
    const cpus = (state: Record<string, { cpus: number }>) => state["unreserved_resources_allocated"]?.cpus;
    expect([cpus(dev), cpus(ops)]).toEqual([CPUS.alice, CPUS.alice + CPUS.bob]);
    expect([Object.keys(dev["reserved_resources"] ?? {}), dev["flags"]]).toEqual([[], undefined]);
    expect(Object.keys(ops["reserved_resources"] ?? {})).toEqual(["bobs-role"]);
    const metrics = parsed(await ask("dev", "/metrics/snapshot"));
    const all = parsed(await ask("ops", "/metrics/snapshot"));
    const names = ["slave/tasks_running", "slave/frameworks_active", "slave/executors_running", "slave/cpus_used"];
    expect(names.map((name) => metrics[name])).toEqual([1, 1, 1, CPUS.alice]);
    expect(names.map((name) => all[name])).toEqual([2, 2, 2, CPUS.alice + CPUS.bob]);
    // How many failed cannot be parted: whose they were is not counted.
    expect([metrics["slave/tasks_failed"], all["slave/tasks_failed"]]).toEqual([undefined, 2]);
    expect(metrics["slave/uptime_secs"]).toBeDefined();
    const prometheus = await ask("dev", "/metrics/prometheus");
    expect(prometheus).toContain("mesos_slave_tasks_running 1\n");
    expect(prometheus).not.toContain("tasks_failed");
  });

  it("reads alice's sandboxes and no other, ended ones too", async () => {
    const own = [...test.paths("slaves", "S0", "frameworks", ALICE.framework, "executors", "*", "runs", "*")];
    const others = [...test.paths("slaves", "S0", "frameworks", BOB.framework, "executors", "*", "runs", "*")];
    expect([own.length, others.length]).toEqual([2, 2]);
    for (const [folders, status] of [
      [own, "200"],
      [others, "403"],
    ] as const) {
      for (const folder of folders) {
        const file = encodeURIComponent(join(folder, "stdout"));
        const answers = [
          await ask("dev", `/files/read?path=${file}&offset=0`),
          await ask("dev", `/files/download?path=${file}`),
          await ask("dev", `/files/browse?path=${encodeURIComponent(folder)}`),
          // Where nothing is: neither does that say so.
          await ask("dev", "/api/v1", call("READ_FILE", { read_file: { path: join(folder, "stdout"), offset: 0 } })),
          await ask("dev", "/api/v1", call("LIST_FILES", { list_files: { path: folder } })),
          await ask("dev", `/files/read?path=${encodeURIComponent(join(folder, "..", "latest", "stdout"))}&offset=0`),
        ];
        for (const answer of answers) {
          if (folder.includes(BOB.framework)) expect(answer).not.toContain(BOB.secret);
        }
        expect(answers.slice(0, 5).map((text) => text.slice(0, 3))).toEqual(Array(5).fill(status));
        const absent = await ask("dev", `/files/read?path=${encodeURIComponent(join(folder, "absent"))}&offset=0`);
        expect(absent.slice(0, 3)).toBe(status === "200" ? "404" : "403");
      }
    }
    expect((await ask("dev", "/files/read?path=/slave/log&offset=0")).slice(0, 3)).toBe("403");
    const virtual = `/frameworks/${BOB.framework}/executors/${BOB.running}/runs/latest/stdout`;
    expect((await ask("dev", `/files/read?path=${virtual}&offset=0`)).slice(0, 3)).toBe("403");
  });
});

it("who may see nothing finds neither, anywhere", async () => {
  for (const [path, body] of SHOWS) {
    const text = (await ask("guest", path, body)).toLowerCase();
    expect(text, nameOf(path, body)).not.toMatch(/alice|bob/);
  }
});

it("what may be seen changes with the rules, without a restart; a broken file changes nothing", async () => {
  const { permissions } = test.node;
  const file = join(test.folder, "acls");
  const tasks = () => ask("guest", "/api/v1", call("GET_TASKS"));
  expect(await tasks()).not.toContain(ALICE.running);
  const open = { permissive: true };
  writeFileSync(file, JSON.stringify(open));
  permissions.reload(file);
  expect(await tasks()).toContain(ALICE.running);
  for (const broken of ['{"permissive": false', '{"permissive": false, "view_task": []}', ""]) {
    writeFileSync(file, broken);
    permissions.reload(file);
    expect(await tasks()).toContain(ALICE.running);
  }
  permissions.reload(join(test.folder, "not-there"));
  expect(await tasks()).toContain(ALICE.running);
  permissions.authorizer.replace(parseAcls({ permissive: false }));
  expect(await tasks()).not.toContain(ALICE.running);
});

it("passwords change without a restart, too", async () => {
  const { permissions } = test.node;
  const passwords = join(test.folder, "credentials");
  const status = async () => (await ask("guest", "/api/v1", call("GET_HEALTH"))).slice(0, 3);
  expect(await status()).toBe("200");
  writeFileSync(passwords, "not JSON");
  permissions.reload(undefined);
  expect(await status()).toBe("200");
  writeFileSync(passwords, JSON.stringify({ credentials: [{ principal: "guest", secret: "another" }] }));
  permissions.reload(undefined);
  expect(await status()).toBe("401");
});

it("refusals are counted", async () => {
  const before = (await test.node.metrics.snapshot()).get("slave/requests_unauthenticated") ?? 0;
  await fetch(`http://127.0.0.1:${test.port}/state`);
  const count = async () => (await test.node.metrics.snapshot()).get("slave/requests_unauthenticated") ?? 0;
  await until("the counter", async () => (await count()) === before + 1);
  expect((await test.node.metrics.snapshot()).get("slave/requests_forbidden")).toBeGreaterThan(0);
});
