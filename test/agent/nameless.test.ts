import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endpoints } from "../../src/agent/http/endpoints.ts";
import { Call_Type } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, framework } from "../support/agent-under-test.ts";

/**
 * A task looks for its neighbour at the agent's port, where nobody is asked for a name: every endpoint and every call, by every
 * name that they have. Who may see what is in a file that leaves nothing to somebody without a name.
 */
const SECRETS = ["neighbour", "sesame", "exit-status-19", "S0-neighbours"] as const;
const acls = {
  permissive: false,
  run_tasks: [{ principals: { type: "ANY" }, users: { type: "ANY" } }],
  get_endpoints: [{ principals: { type: "ANY" }, paths: { type: "ANY" } }],
  ...Object.fromEntries(
    ["view_tasks", "view_executors", "view_frameworks", "view_containers", "access_sandboxes"].map((action) => [
      action,
      [{ principals: { values: ["ops"] }, users: { type: "ANY" } }],
    ]),
  ),
};

let test: AgentUnderTest;
const places = new Set<string>();

beforeAll(async () => {
  test = await AgentUnderTest.open();
  await test.start({
    flags: [`--acls=${JSON.stringify(acls)}`],
    createSandbox: (directory) => {
      places.add(directory);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "stdout"), "sesame");
    },
  });
  await test.register();
  const options = { framework: framework({ id: "neighbours", user: "neighbour" }) };
  for (const id of ["neighbour-1", "neighbour-2"]) {
    const environment = { variables: [{ name: "PASSWORD", value: "sesame" }] };
    const command = { value: "neighbour --password=sesame", environment };
    await test.running(id, TaskState.TASK_RUNNING, options, commandTask(id, { command }));
  }
  test.machine.containerOf("neighbour-2")?.end({ status: 19 << 8, message: "exit-status-19" });
  await test.master.status("neighbour-2", TaskState.TASK_FAILED);
});
afterAll(() => test.close());

async function ask(path: string, body?: object): Promise<string> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  const init = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${test.port}${path}`, init);
  return await answer.text();
}

/** Nothing of the neighbour's is in an answer but what was in the question. */
function expectNothing(text: string, asked: string): void {
  let rest = text.toLowerCase();
  for (const word of asked.split(/[=&?"\\/:,{}]+/).filter((one) => one.length > 5))
    rest = rest.replaceAll(word.toLowerCase(), "");
  for (const secret of SECRETS) expect(rest, asked).not.toContain(secret.toLowerCase());
  expect(rest, asked).not.toMatch(/"exit_code"|"exit":/);
}

it("no endpoint, by no name of it, tells of the neighbour", async () => {
  for (const { path, aliases, method } of endpoints) {
    // An endless answer, to executors only.
    if (path.endsWith("/executor")) continue;
    for (const name of [path, ...aliases].flatMap((one) => [one, one.replace("/slave(1)", "") || "/"])) {
      if (method === "POST") continue;
      expectNothing(await ask(name), name);
      for (const query of [
        "?jsonp=f",
        "?task_id=neighbour-1",
        "?framework_id=neighbours&task_id=neighbour-2",
        "?show_nested=true",
      ])
        expectNothing(await ask(`${name}${query}`), `${name}${query}`);
    }
  }
});

it("no call does", async () => {
  for (const type of Object.keys(Call_Type).filter((name) => Number.isNaN(Number(name)))) {
    const member = { [type.toLowerCase()]: {} };
    expectNothing(await ask("/api/v1", { type }), type);
    expectNothing(await ask("/api/v1", { type, ...member }), type);
  }
});

it("no path of its sandbox can be listed, read or downloaded, and none says whether it is there", async () => {
  const known = [...places].flatMap((place) => [place, join(place, "..", "latest"), join(place, "..", "..", "..")]);
  for (const place of [...known, "/frameworks/neighbours/executors/neighbour-1/runs/latest"]) {
    for (const path of [place, `${place}/stdout`, `${place}/stdout/`, `${place}/./stdout`, `${place}/x/../stdout`]) {
      const query = `path=${encodeURIComponent(path)}`;
      for (const way of [`/files/browse?${query}`, `/files/read?${query}&offset=0`, `/files/download?${query}`])
        expectNothing(await ask(way), `${way} ${path}`);
      expectNothing(await ask("/api/v1", { type: "LIST_FILES", list_files: { path } }), path);
      expectNothing(await ask("/api/v1", { type: "READ_FILE", read_file: { path, offset: 0 } }), path);
    }
  }
});
