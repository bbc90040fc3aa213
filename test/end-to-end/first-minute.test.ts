import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { missing } from "../support/missing.ts";
import { StartedNode } from "../support/started-node.ts";

// What README promises: `npm ci && npm start` with npm from 8 on, and with the oldest and the newest Node it names.
const OLDEST = "18.20.8";
const NEWEST = "26.12.1";
const RELEASES = ["8.6.0", "10.8.2", "11.6.2"] as const;
const ODD = `100% "mine", it's %d ünïcode`;

const packageFolder = resolve(import.meta.dirname, "../..");
const packaged = `node-linux-${process.arch}`;
let folder = "";
let node: StartedNode | undefined;

/** Unpacks a package of the registry into `to`; the npm that runs here fetches it, from its cache when it can. */
function unpack(name: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const npm = process.env["npm_execpath"];
  const [program, ...before] = npm === undefined ? ["npm"] : [process.execPath, npm];
  execFileSync(program, [...before, "pack", "--silent", "--prefer-offline", name], { cwd: to, stdio: "pipe" });
  const [archive = ""] = readdirSync(to).filter((file) => file.endsWith(".tgz"));
  execFileSync("tar", ["xzf", archive, "--no-same-owner"], { cwd: to });
  rmSync(join(to, archive));
}

/** What git would give a new clone, as it stands here. */
function clone(to: string): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: packageFolder,
    encoding: "utf8",
  });
  for (const file of listed.split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(packageFolder, file), join(to, file), { errorOnExist: true, force: false });
  }
}

/** A folder with exactly this node and this npm, for a PATH. */
function programs(nodeVersion: string, npmVersion: string): string {
  const bin = mkdtempSync(join(folder, "bin-"));
  const binary = join(folder, `node-${nodeVersion}`, "package/bin/node");
  symlinkSync(binary, join(bin, "node"));
  const cli = join(folder, `npm-${npmVersion}`, "package/bin/npm-cli.js");
  writeFileSync(
    join(bin, "npm"),
    `#!/bin/sh
exec '${binary}' '${cli}' "$@"
`,
  );
  chmodSync(join(bin, "npm"), 0o755);
  return bin;
}

/** The environment of somebody who has never heard of npm's variables. */
function fresh(bin: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE|VITEST|INIT_CWD)/i.test(name));
  return { ...Object.fromEntries(kept), PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "first-"));
  for (const version of [OLDEST, NEWEST]) unpack(`${packaged}@${version}`, join(folder, `node-${version}`));
  for (const version of RELEASES) unpack(`npm@${version}`, join(folder, `npm-${version}`));
});
afterEach(() => node?.interrupt());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const combinations = [OLDEST, NEWEST].flatMap((nodeVersion) => RELEASES.map((npm) => [nodeVersion, npm] as const));

test.for(combinations)("Node %s, npm %s: npm ci && npm start, a task, Ctrl-C", async ([nodeVersion, npm], context) => {
  if (spawnSync("supervisord", ["--version"]).status !== 0) missing(context, "supervisord is not installed");
  const checkout = join(folder, `${nodeVersion} ${npm} ${ODD}`);
  clone(checkout);
  const environment = fresh(programs(nodeVersion, npm));
  const [agent, master] = [await freePort(), await freePort()];
  const began = systemClock.monotonic();
  const installed = spawnSync("npm", ["ci", "--prefer-offline"], { cwd: checkout, env: environment, encoding: "utf8" });
  expect(installed.status, installed.stdout + installed.stderr).toBe(0);
  node = await StartedNode.start(
    checkout,
    { ...environment, MESOS_PORT: String(agent), MESOS_MASTER_PORT: String(master) },
    ["npm", "start"],
  );
  expect(systemClock.monotonic() - began).toBeLessThan(60_000);
  const { stdout, status } = node.run(node.line);
  expect(stdout).toMatch(/hello\n[\s\S]*done\n[\s\S]*TASK_FINISHED/);
  expect(status).toBe(0);
  expect(node.run("bin/mesos-execute --version").stdout).toMatch(/^mesos-execute /);
  await node.interrupt();
  // Nothing that only developers need.
  expect(readdirSync(join(checkout, "node_modules"))).not.toContain("vitest");
  rmSync(checkout, { recursive: true });
});

test("without the packaged Node: what is missing, and the fix", () => {
  const checkout = join(folder, "bare");
  clone(checkout);
  for (const command of ["npm start", "bin/mesos-execute --help"]) {
    const { status, stderr } = spawnSync("sh", ["-c", command], {
      cwd: checkout,
      env: fresh(programs(OLDEST, RELEASES[0])),
      encoding: "utf8",
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain(`This needs Node 24; you have v${OLDEST}, and node_modules/${packaged} is not there.`);
    expect(stderr).toContain("Fix: npm ci");
  }
});
