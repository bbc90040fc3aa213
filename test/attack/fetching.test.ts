import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { ATTACKER, AttackedNode, archive, canAttack, uidOf } from "../support/attacked-node.ts";
import { commandTask, type TestScheduler } from "../support/scheduler.ts";

const uri = (value: string, more: object = {}): object => ({ value, extract: true, executable: false, ...more });
const withUris = (command: string, ...uris: object[]): object => ({ command: { value: command, shell: true, uris } });

describe.runIf(canAttack)("a task's user gains nothing by what it has fetched", () => {
  let node: AttackedNode;
  let test: TestScheduler;
  beforeAll(async () => {
    node = await AttackedNode.start();
    test = await node.scheduler();
  });
  afterAll(() => node.stop());

  const secret = (): string => readFileSync(join(node.treasure, "secret"), "utf8");

  it("an archive's link named stderr and a URI with a newline append no line to a file of root's", async () => {
    const evil = archive(node, "log.tar", `ln -s ${node.treasure}/secret stderr; ln -s ${node.treasure}/secret stdout`);
    node.answer = (_request, response) => void response.end("content");
    const uris = [uri(evil), uri(`${node.base}/x?\nroot::0:0::/:/bin/sh\n`, { output_file: "x", outputFile: "x" })];
    await node.run(test, "log", "true", withUris("true", ...uris));
    expect(secret()).toBe("secret\n");
  });

  it("no line of the fetcher's log is the task's to write", async () => {
    node.answer = (_request, response) => void response.writeHead(404).end("no\nE1129 forged body");
    await node.run(
      test,
      "forge",
      "true",
      withUris("true", uri(`${node.base}/x?\nE1129 12:00:00.000000 1 forged:1] uri`)),
    );
    const log = readFileSync(join(node.sandbox(test, "forge"), "stderr"), "utf8");
    expect(log).toContain("forged");
    expect(log.split("\n").filter((line) => /^E1129 (12:00:00.000000 1 )?forged/.test(line))).toEqual([]);
  });

  it("the cache gives out what was downloaded, not what a link in it leads to", async () => {
    node.answer = (request, response) => {
      response.setHeader("content-length", 7);
      response.end(request.method === "HEAD" ? undefined : "content");
    };
    const cached = uri(`${node.base}/cached`, { cache: true });
    expect(await node.run(test, "fill", "true", withUris("true", cached))).toMatchObject({
      state: TaskState.TASK_FINISHED,
    });
    // Whatever of the cache the user can reach becomes a link.
    const swap = `cd ${node.cache} && for f in c* */c*; do rm -f "$f" && ln -s ${node.treasure}/secret "$f"; done; true`;
    await node.run(test, "swap", swap);
    await node.run(test, "steal", "true", withUris("cat cached", cached));
    expect(readFileSync(join(node.sandbox(test, "steal"), "cached"), "utf8")).toBe("content");
    expect(readFileSync(join(node.sandbox(test, "steal"), "stdout"), "utf8")).toBe("content");
    expect(statSync(node.cache).mode & 0o77).toBe(0);
  });

  it("a folder that is swapped for a link while a download runs leads nobody's rights elsewhere", async () => {
    mkdirSync(join(node.treasure, "deep"));
    let go = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      node.answer = (_request, response) => {
        go = () => void response.end("#!/bin/sh\n");
        resolve();
      };
    });
    const fetched = uri(`${node.base}/x`, { executable: true, outputFile: "sub/secret" });
    await test.launch([commandTask("slow", "true", withUris("true", fetched))]);
    await asked;
    const box = node.sandbox(test, "slow").replace(/executors.*/, "executors/slow/runs/latest");
    const place = existsSync(box) ? box : readlinkSandbox(node, test.frameworkId ?? "", "slow");
    await node.run(test, "swapper", `cd ${place} && mv sub aside && ln -s ${node.treasure} sub && ls -l`);
    go();
    await test.until("end of slow", () => test.terminalOf("slow"));
    expect(secret()).toBe("secret\n");
    expect(statSync(join(node.treasure, "secret"))).toMatchObject({ uid: 0 });
    expect(statSync(join(node.treasure, "secret")).mode & 0o777).toBe(0o600);
    expect(readdirSync(node.treasure).sort()).toEqual(["deep", "secret"]);
  });

  it("whatever fetches has the rights of the task's user and no more", async () => {
    const asked = new Promise<() => void>((resolve) => {
      node.answer = (_request, response) => resolve(() => void response.end("done"));
    });
    await test.launch([commandTask("who", "true", withUris("true", uri(`${node.base}/x`)))]);
    const answer = await asked;
    const lines = execFileSync("ss", ["-Htnp", "dst", node.base.replace("http://", "")], { encoding: "utf8" });
    const pid = /pid=(\d+)/.exec(lines)?.[1] ?? "";
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    answer();
    const uid = uidOf(ATTACKER);
    expect(status).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, "m"));
    expect(status).toMatch(/^CapEff:\t0+$/m);
    await test.until("end of who", () => test.terminalOf("who"));
  });

  it("clearing up after an archive removes nothing of root's, however folders are swapped meanwhile", async () => {
    const many = join(node.treasure, "many");
    mkdirSync(many);
    for (let index = 0; index < 2000; index++) writeFileSync(join(many, `f${index}`), "");
    // Its list is whole, one entry is not: unpacking fails at the end, and what was unpacked is cleared up.
    const evil = join(node.open, "many.zip");
    const pack = "mkdir many; for i in $(seq 1500); do : > many/f$i; done; echo DAMAGE-ME > zz; zip -qr0";
    execFileSync("sh", ["-ec", `cd $(mktemp -d ${node.open}/XXXXXX); ${pack} ${evil} many zz`]);
    writeFileSync(evil, Buffer.from(readFileSync(evil, "latin1").replace("DAMAGE-ME", "damage-me"), "latin1"));
    const race = `while [ ! -e ${node.open}/stop ]; do
      for d in ${node.agent.workDir}/slaves/*/frameworks/*/executors/victim*/runs/*/.fetch-*/many; do
        if [ ! -e $d/f1 ] && [ -e $d/f999 -o -e $d/f1500 ]; then mv $d $d.aside && ln -s ${many} $d; fi
      done
    done 2>/dev/null`;
    await node.begin(test, "racer", race);
    for (let round = 0; round < 5; round++) await node.run(test, `victim${round}`, "true", withUris("true", uri(evil)));
    writeFileSync(join(node.open, "stop"), "");
    await test.until("end of the racer", () => test.terminalOf("racer"));
    expect(readdirSync(many)).toHaveLength(2000);
  });

  it("volumes are not made through an archive's link", async () => {
    const evil = archive(node, "door.tar", `ln -s ${node.treasure} door`);
    const container = { type: 2, volumes: [{ mode: 1, hostPath: "door/made/deeper", containerPath: "inside" }] };
    const status = await node.run(test, "door", "true", { ...withUris("true", uri(evil)), container });
    expect(status.state).toBe(TaskState.TASK_FAILED);
    expect(existsSync(join(node.treasure, "made"))).toBe(false);
  });

  it("a FIFO in the place of stderr ends the launch, and holds nobody up", async () => {
    const evil = archive(node, "fifo.tar", "mkfifo stdout stderr");
    const ids = Array.from({ length: 6 }, (_, index) => `fifo${index}`);
    for (const id of ids) await test.launch([commandTask(id, "true", withUris("true", uri(evil)))]);
    for (const id of ids) {
      const status = await test.until(`end of ${id}`, () => test.terminalOf(id));
      expect(status.state).toBe(TaskState.TASK_FAILED);
    }
    expect(await node.run(test, "after", "true")).toMatchObject({ state: TaskState.TASK_FINISHED });
  });
});

/** Before its first update a task's sandbox is found by its framework. */
function readlinkSandbox(node: AttackedNode, frameworkId: string, taskId: string): string {
  const agents = join(node.agent.workDir, "slaves");
  for (const agent of readdirSync(agents)) {
    const box = join(agents, agent, "frameworks", frameworkId, "executors", taskId, "runs/latest");
    if (existsSync(box)) return box;
  }
  throw new Error(`no sandbox of ${taskId}`);
}

describe.runIf(canAttack)("the cache's folder", () => {
  it.each([
    ["made first by somebody else", (cache: string) => mkdirSync(cache)],
    ["a link of somebody else's", (cache: string) => symlinkSync("/etc", cache)],
  ])("%s is not used", async (_what, make) => {
    const folder = mkdtempSync(join(tmpdir(), "cache-"));
    const cache = join(folder, "fetch");
    chmodSync(folder, 0o1777);
    make(cache);
    lchownSync(cache, uidOf(ATTACKER), uidOf(ATTACKER));
    const node = await AttackedNode.start([], cache);
    try {
      await expect.poll(() => node.agent.hasExited).toBe(true);
      expect(node.agent.log).toMatch(
        /cannot be the fetcher's cache: '.*fetch' (belongs to another user|is a symbolic link)/,
      );
    } finally {
      await node.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
