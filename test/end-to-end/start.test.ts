import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { processesOf } from "../../src/init/layout.ts";

const packageFolder = resolve(import.meta.dirname, "../..");
const root = join(packageFolder, ".node");
let node: ChildProcess | undefined;

/** Whether nothing listens on `port`; `npm start` uses the field's own ports. */
function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}

afterEach(async () => {
  if (node?.exitCode === null) {
    node.kill("SIGTERM");
    await once(node, "exit");
  }
});

test("npm start: a node within 60 s, a task from mesos-execute, and Ctrl-C leaves nothing", async (context) => {
  const missing = spawnSync("supervisord", ["--version"]).status === 0 ? undefined : "supervisord is not installed";
  const taken = (await isFree(5050)) && (await isFree(5051)) ? undefined : "port 5050 or 5051 is taken";
  if (missing ?? taken) {
    if (process.env["CI"]) throw new Error(missing ?? taken);
    context.skip(missing ?? taken);
  }
  const environment = { ...process.env, PATH: `${join(packageFolder, "node_modules/.bin")}:${process.env["PATH"]}` };
  const started = systemClock.monotonic();
  const child = spawn("node", ["tools/start.ts"], {
    cwd: packageFolder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  node = child;
  let output = "";
  const up = new Promise<void>((done, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("The node is up.")) done();
      });
    child.once("exit", () => reject(new Error(output)));
  });
  await up;
  expect(systemClock.monotonic() - started).toBeLessThan(60_000);
  expect(output).toContain("http://127.0.0.1:5051");
  expect(output).toContain("http://127.0.0.1:5050");

  // The line that it prints, word for word.
  const line = /^ *npx (mesos-execute .*)$/m.exec(output)?.[1] ?? "";
  const { stdout, status } = spawnSync("sh", ["-c", `bin/${line}`], {
    cwd: packageFolder,
    env: environment,
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(stdout).toMatch(/hello\n[\s\S]*done\n[\s\S]*TASK_FINISHED/);
  expect(status).toBe(0);

  // A task that would run on: nobody would look after it.
  const runsOn = spawn("bin/mesos-execute", ["--master=127.0.0.1:5050", "--name=long", "--command=sleep 600"], {
    cwd: packageFolder,
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  for await (const chunk of runsOn.stdout) {
    said += chunk;
    if (said.includes("TASK_RUNNING")) break;
  }
  const stopped = systemClock.monotonic();
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(systemClock.monotonic() - stopped).toBeLessThan(5000);
  expect(code).toBe(0);
  expect(processesOf(root, [process.pid])).toEqual([]);
  runsOn.kill("SIGKILL");
});
