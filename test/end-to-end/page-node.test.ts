import { appendFileSync, existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameworkInfo_Capability_Type, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { whyNoBrowser } from "../support/browser.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { PageHost } from "../support/page-host.ts";
import { commandTask } from "../support/scheduler.ts";

const missing = whyNoBrowser() ?? dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

const GROUPS = `mesos-page-${process.pid}`;
const { MULTI_ROLE, RESERVATION_REFINEMENT, TASK_KILLING_STATE } = FrameworkInfo_Capability_Type;

const amounts = (cpus: number, mem: number, role?: string) =>
  Object.entries({ cpus, mem }).map(([name, value]) => ({
    name,
    type: 0,
    scalar: { value },
    ...(role !== undefined && { reservations: [{ type: 1, role }] }),
  }));

/** Ends what still runs in a control group, and removes it with those in it. False: something has not gone yet. */
function removeGroup(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean))
    process.kill(Number(pid), "SIGKILL");
  const inner = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (!inner.every(({ name }) => removeGroup(join(path, name)))) return false;
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(missing !== undefined)("the node on its page", () => {
  let host: PageHost;
  let dockerd: TestDockerd;

  beforeAll(async () => {
    dockerd = await TestDockerd.start();
    host = await PageHost.open({
      roles: ["web"],
      capabilities: [MULTI_ROLE, RESERVATION_REFINEMENT, TASK_KILLING_STATE],
      resources: "cpus(web):2;cpus:6;mem(web):1024;mem:4096;disk:10000;ports:[31000-32000]",
      flags: [
        "--attributes=rack:2;zone:a",
        "--containerizers=mesos,docker",
        `--docker_socket=${dockerd.socket}`,
        "--isolation=cgroups/cpu,cgroups/mem",
        "--cgroups_enable_cfs",
        `--cgroups_root=${GROUPS}`,
      ],
    });
  });

  afterAll(async () => {
    await host?.close();
    await dockerd?.stop();
    for (const controller of ["cpu", "cpuacct", "memory", ""]) removeGroup(join("/sys/fs/cgroup", controller, GROUPS));
  });

  /** Launches on everything that is offered: what ended is offered in a piece of its own. */
  const launch = async (...tasks: ReturnType<typeof commandTask>[]): Promise<void> => {
    const { agentId } = await host.scheduler.offer();
    const taskInfos = tasks.map((task) => ({ ...task, ...(agentId && { agentId }) }));
    await host.scheduler.accept([...host.scheduler.offers], [{ type: 1, launch: { taskInfos } }]);
  };
  const runs = async (...ids: string[]): Promise<unknown> =>
    host.scheduler.until(ids.join(), () =>
      ids.every((id) => host.scheduler.statesOf(id).includes(TaskState.TASK_RUNNING)),
    );

  it("shows how much its CPU limit throttles a task, as a curve too, and who ended out of memory", async () => {
    const { page, scheduler } = host;
    await launch(
      commandTask("burning", "while :; do :; done", { resources: amounts(0.1, 32) }),
      commandTask("hungry", "tail /dev/zero", { resources: amounts(0.1, 32) }),
    );
    await runs("burning");
    await scheduler.until("the end of hungry", () => scheduler.terminalOf("hungry"));
    await page.goto(host.home);
    const row = page.locator("#frameworks tr", { has: page.locator(".name", { hasText: "burning" }) });
    await row.locator("td", { hasText: /throttled \d+ %/ }).waitFor();
    const cpus = page.locator("#resources li", { hasText: "1 throttled" });
    await cpus.getByText(/^allocated, 7\.9 free, [\d.]+ in use; 1 throttled$/).waitFor();
    await page.locator("#summary", { hasText: "1 ended out of memory" }).waitFor();
    await host.inEachWidth("throttled", async () => expect(await host.isTooWide()).toBe(false));
    await row.getByRole("link", { name: "burning", exact: true }).click();
    await page
      .locator("#task-throttled-now", { hasText: /\d+ % of its periods; [\d.]+ s, \d+ times in all/ })
      .waitFor();
    await page.locator("#task-throttled svg.plot:not([hidden])").waitFor();
    await host.inEachWidth("task-throttled", async () => expect(await host.isTooWide()).toBe(false));
    await page.goto(`${host.home}#/completed`);
    const ended = page.locator("#completed tr", { has: page.locator(".name", { hasText: "hungry" }) });
    await ended.locator(".why", { hasText: /Memory limit exceeded.*REASON_CONTAINER_LIMITATION_MEMORY/s }).waitFor();
    await page.goto(`${host.home}#/node`);
    const fact = page.locator("#machine div", { has: page.locator("dt", { hasText: "Out of memory" }) });
    await fact
      .getByText(/^1 task that is remembered here(; of any process of this machine since it started: \d+)?$/)
      .waitFor();
    await scheduler.kill("burning");
    await scheduler.until("the end of burning", () => scheduler.terminalOf("burning"));
  });

  it("shows what is reserved for whom, and what of it is allocated; its attributes", async () => {
    const { page } = host;
    await launch(commandTask("reserved", "exec sleep 1000", { resources: amounts(0.5, 64, "web") }));
    await runs("reserved");
    await page.goto(`${host.home}#/node`);
    const rows = page.locator("#reservation-table tbody tr");
    await expect
      .poll(async () => (await rows.allTextContents()).slice(0, 2).toSorted())
      .toEqual(["webcpus20.5", "webmem1 GB64 MB"]);
    const others = rows.filter({ hasText: "anybody" });
    await others.filter({ hasText: "cpus" }).getByText("6", { exact: true }).waitFor();
    await others.filter({ hasText: "disk" }).getByText("nothing").waitFor();
    expect(await page.locator("#facts div", { hasText: "Attribute" }).allTextContents()).toEqual([
      "Attribute rack2",
      "Attribute zonea",
    ]);
    await host.inEachWidth("reservations", async () => expect(await host.isTooWide()).toBe(false));
  });

  it("shows how far a drain is: since when, with which grace, what has ended and what is left", async () => {
    const { page } = host;
    const patient = `trap '' TERM; touch deaf; while [ ! -e go ]; do sleep 0.1; done`;
    await launch(
      commandTask("patient", patient, {
        resources: amounts(0.1, 32),
        killPolicy: { gracePeriod: { nanoseconds: 3_600_000_000_000n } },
      }),
      commandTask("quick", "exec sleep 1000", { resources: amounts(0.1, 32) }),
    );
    await runs("patient", "quick");
    const folder = await host.sandbox("patient");
    await expect.poll(() => existsSync(join(folder, "deaf"))).toBe(true);
    const { id, capabilities } = await host.json<{ id: string; capabilities: string[] }>("state");
    expect(capabilities).toContain("AGENT_DRAINING");
    const drain = { agent_id: { value: id }, max_grace_period: { seconds: 1800 } };
    const answer = await fetch(`${host.master.url}/api/v1`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ type: "DRAIN_AGENT", drain_agent: drain }),
    });
    expect(answer.status).toBe(200);
    await page.goto(`${host.home}#/node`);
    const words = page.locator("#drain-words");
    await words.getByText(/^since .+ · 1 task to go · 2 of 3 ended · each has at most 30 min to end$/).waitFor();
    expect(await page.locator("#drain-bar").evaluate((bar) => [bar.value, bar.max])).toEqual([2, 3]);
    await page
      .locator("#notices")
      .getByText(/drains this agent, since .+: 1 task to go/)
      .waitFor();
    await host.inEachWidth("drain", async () => expect(await host.isTooWide()).toBe(false));
    expect(existsSync(folder)).toBe(true);
    appendFileSync(join(folder, "go"), "");
    await page.locator("#drain").waitFor({ state: "hidden" });
  });

  it("draws what the whole machine does", async () => {
    const { page } = host;
    await page.goto(host.home);
    await page.goto(`${host.home}#/node`);
    await page.locator("#machine-cpu-now", { hasText: /^[\d.]+ of \d+$/ }).waitFor();
    await page.locator("#machine-memory-now", { hasText: /^[\d.]+ [MGT]B of [\d.]+ [MGT]B$/ }).waitFor();
    await page.locator("#machine-cpu svg.plot:not([hidden])").waitFor();
    await page.locator("#machine-memory svg.plot:not([hidden])").waitFor();
    await host.inEachWidth("machine", async () => expect(await host.isTooWide()).toBe(false));
  });

  it("shows Docker's version, and what is wrong with it", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/node`);
    const row = page.locator("#engine-table tr", { has: page.locator("th", { hasText: "docker" }) });
    await row.getByText(/^Docker \d+\.\d+.*, API \d+\.\d+$/).waitFor();
    expect(await row.locator(".badge").textContent()).toBe("works");
    await page.locator("#engine-table tr", { hasText: "mesos" }).getByText("works").waitFor();
    await dockerd.kill();
    await row.locator(".badge", { hasText: "trouble" }).waitFor();
    await page
      .locator("#notices")
      .getByText(/containerizer\/docker: /)
      .waitFor();
    await expect.poll(() => page.title()).toMatch(/^⚠ 1 trouble: /);
    await host.inEachWidth("docker-down", async () => expect(await host.isTooWide()).toBe(false));
  });
});
