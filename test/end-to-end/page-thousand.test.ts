import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { whyNoBrowser } from "../support/browser.ts";
import { PageHost } from "../support/page-host.ts";
import { commandTask } from "../support/scheduler.ts";

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

const TASKS = 1_000;

describe.skipIf(missing !== undefined)("a thousand tasks on the node's page", () => {
  let host: PageHost;

  beforeAll(async () => {
    host = await PageHost.open({ resources: "cpus:100;mem:100000;disk:100000" });
    const tasks = Array.from({ length: TASKS }, (_, index) => commandTask(`task-${index}`, "exec sleep 10000"));
    await host.scheduler.launch(tasks);
    await host.scheduler.until(
      "a thousand tasks",
      () => host.scheduler.updates.filter(({ state }) => state === TaskState.TASK_RUNNING).length >= TASKS,
      240_000,
    );
  });

  afterAll(async () => {
    await host?.close();
  });

  const elements = (): Promise<number> => host.page.evaluate<number>("document.querySelectorAll('*').length");
  const drawn = (): Promise<number> => host.page.evaluate<number>("document.querySelectorAll('.line[d]').length");
  const rows = () => host.page.locator("#frameworks tbody tr");
  /** Resolves after the page's next look, to the changes that it made in the document. */
  const nextLook = (): Promise<number> =>
    host.page.evaluate<number>(`new Promise((done) => {
      const when = document.getElementById("updated").textContent;
      let changes = 0;
      const observer = new MutationObserver((records) => {
        changes += records.length;
        if (document.getElementById("updated").textContent === when) return;
        // What this look changes is all in the document before the next picture is drawn.
        requestAnimationFrame(() => { changes += observer.takeRecords().length; observer.disconnect(); done(changes); });
      });
      observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    })`);

  it("are counted and found, all of them; the document has those that somebody can get to soon", async () => {
    const { page } = host;
    await page.goto(host.home);
    await page.getByText(`${TASKS} tasks of 1 framework`).waitFor();
    await page.locator("#tasks-counts button", { hasText: `${TASKS} running` }).waitFor();
    expect(await rows().count()).toBe(200);
    expect(await elements()).toBeLessThan(6_000);
    await page.getByLabel("Filter").first().fill("task-987");
    expect(await rows().locator(".name").allTextContents()).toEqual(["task-987"]);
    await page.getByLabel("Filter").first().fill("");
    expect(await rows().count()).toBe(200);
  });

  it("draw curves only where somebody looks, and change nothing that stays as it is", async () => {
    const { page } = host;
    await page.locator("#frameworks svg.spark:not([hidden])").first().waitFor();
    expect(await drawn()).toBeGreaterThan(5);
    expect(await drawn()).toBeLessThan(200);
    await page.getByRole("button", { name: "Show 800 more" }).click();
    await expect.poll(() => rows().count()).toBe(TASKS);
    expect(await elements()).toBeLessThan(30_000);
    // Every row has a time and two figures that change: only those in sight are set.
    await nextLook();
    expect(await nextLook()).toBeLessThan(600);
    expect(await drawn()).toBeLessThan(200);
    await rows().last().scrollIntoViewIfNeeded();
    await rows().last().locator(".line[d]").first().waitFor({ state: "attached" });
  });
});
