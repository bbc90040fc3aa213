import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { whyNoBrowser } from "../support/browser.ts";
import { PageHost } from "../support/page-host.ts";
import { bundleAgent } from "../support/real-agent.ts";
import { commandTask } from "../support/scheduler.ts";

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

describe.skipIf(missing !== undefined)("the node's page as it is shipped", () => {
  const folder = mkdtempSync(join(tmpdir(), "shipped-"));
  let host: PageHost;

  beforeAll(async () => {
    host = await PageHost.open({ program: await bundleAgent(folder) });
    await host.scheduler.launch([commandTask("one", "echo written; exec sleep 1000")]);
    await host.scheduler.until("the task", () =>
      host.scheduler.updates.some(({ state }) => state === TaskState.TASK_RUNNING),
    );
  });

  afterAll(async () => {
    await host?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Bytes of the page's own files that the browser has received, and their names. */
  const received = async (): Promise<{ bytes: number; names: string[] }> =>
    host.page.evaluate(`(() => {
      const own = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter(({ name }) => /\\/$|\\/ui\\//.test(new URL(name).pathname));
      return { bytes: own.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0), names: own.map(({ name }) => name) };
    })()`);

  it("brings at most 19 KB over the wire for the first view, and each other view when it is opened", async () => {
    const { page } = host;
    await page.goto(host.home);
    await page.locator("#frameworks").getByRole("link", { name: "one", exact: true }).waitFor();
    const first = await received();
    expect(first.names.length).toBeGreaterThan(3);
    expect(first.bytes).toBeGreaterThan(5_000);
    expect(first.bytes).toBeLessThanOrEqual(19 * 1024);
    expect(first.names.filter((name) => /task-|file-|node-|folder-|metrics-/.test(name))).toEqual([]);
    await page.locator("#frameworks").getByRole("link", { name: "one", exact: true }).click();
    await page.locator("#task-events").getByText("running").waitFor();
    await page.locator("#task-links").getByRole("link", { name: "stdout" }).click();
    await page.locator("#text").getByText("written").waitFor();
    await page.getByRole("link", { name: "sandbox" }).click();
    await page.getByRole("link", { name: "stderr" }).waitFor();
    await page.getByRole("link", { name: "Node", exact: true }).click();
    await page.locator("#machine").getByText("Kernel").waitFor();
    await page.getByRole("link", { name: "Metrics", exact: true }).click();
    await page.locator("#metrics").getByText("slave/tasks_running").waitFor();
    expect(host.complaints).toEqual([]);
  });

  it("says so when a part of the first view does not arrive", async () => {
    const { page } = host;
    await page.route("**/ui/chunk-*", (route) => route.abort());
    await page.goto("about:blank");
    await page.goto(host.home);
    await page.getByText("If this stays, something of the page did not arrive").waitFor();
    await page.unroute("**/ui/chunk-*");
    await page.reload();
    await page.locator("#frameworks").getByRole("link", { name: "one", exact: true }).waitFor();
    expect(await page.locator("#loading").isVisible()).toBe(false);
  });

  it("says so when a view cannot be fetched, and has it when it can", async () => {
    const { page } = host;
    await page.goto(host.home);
    await page.locator("#frameworks").getByRole("link", { name: "one", exact: true }).waitFor();
    await page.route("**/ui/node-*", (route) => route.abort());
    await page.getByRole("link", { name: "Node", exact: true }).click();
    await page.getByText("This part of the page cannot be had").waitFor();
    await page.unroute("**/ui/node-*");
    await page.getByRole("link", { name: "Completed", exact: true }).click();
    await page.getByText("This part of the page cannot be had").waitFor({ state: "hidden" });
    await page.getByRole("link", { name: "Node", exact: true }).click();
    await page.locator("#machine").getByText("Kernel").waitFor();
  });
});
