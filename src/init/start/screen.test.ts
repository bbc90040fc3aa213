import { expect, test } from "vitest";
import { lastWords, stoppingLine, type Up, upBlock, warningsIn } from "./screen.ts";

const up: Up = {
  agentUrl: "http://127.0.0.1:5052",
  masterUrl: "http://127.0.0.1:5060",
  master: "127.0.0.1:5060",
  registered: true,
  docker: { version: "27.0.3" },
  root: "/app/.node",
};

test("pages, a line to try with the port in use, how to stop", () => {
  expect(upBlock(up)).toBe(`
The node is up.
  node    http://127.0.0.1:5052
  master  http://127.0.0.1:5060
  docker  27.0.3
  files   /app/.node
  log     /app/.node/var/log/mesos/mesos-slave.INFO
Try, in another terminal:
  bin/mesos-execute --master=127.0.0.1:5060 --name=hello --command='echo hello; sleep 1; echo done'
Ctrl-C stops everything.
`);
});

test("no Docker is one calm line; a master that is silent is named", () => {
  const text = upBlock({
    ...up,
    docker: { without: "not on this machine: a task with an image fails at once, all others run" },
    registered: false,
    masterUrl: undefined,
    master: "zk://a,b/m es",
  });
  expect(text).toContain("  docker  not on this machine: a task with an image fails at once, all others run\n");
  expect(text).toContain("not registered with zk://a,b/m es yet");
  expect(text).toContain("--master='zk://a,b/m es' ");
  expect(text).not.toContain("  master ");
});

test("leaving a cluster says what happens to its tasks", () => {
  expect(stoppingLine(true)).toMatch(/every task is ended, Docker's too/);
  expect(stoppingLine(false)).toBe("Stopping.");
});

const said = `[2026-01-01 00:00:00][Init][Environment] local
[2026-01-01 00:00:00][Init][Warning] MESOS_WORKDIR is taken as MESOS_WORK_DIR
2026-01-01 00:00:01,483 INFO spawned: 'mesos' with pid 1
[mesos] W0101 00:00:01.0 1 main.cpp:1] [Init][Warning] not this
[mesos] cannot bind
`;

test("of a quiet start the warnings are said, of a failed one the last lines", () => {
  expect(warningsIn(said)).toEqual(["warning: MESOS_WORKDIR is taken as MESOS_WORK_DIR"]);
  expect(lastWords(said, 2)).toBe(
    "[mesos] W0101 00:00:01.0 1 main.cpp:1] [Init][Warning] not this\n[mesos] cannot bind",
  );
  expect(lastWords(said)).not.toContain("spawned");
});
