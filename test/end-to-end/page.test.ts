import { appendFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { startBrowser, whyNoBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const HOSTILE = `<img src=x onerror="document.title='owned'">`;
const HOSTILE_OUTPUT = `<script>document.title='owned'</script>`;
const SHOTS = process.env["PAGE_TEST_SCREENSHOTS"];

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

describe("the node's page in Chromium", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const home = (): string => `http://127.0.0.1:${agent.port}/`;

  beforeAll(async () => {
    if (missing !== undefined) return;
    master = new LocalMaster({ port: 0 });
    await master.start();
    const address = master.url.replace("http://", "");
    agent = new AgentProcess({
      master: address,
      port: await freePort(),
      flags: ["--resources=cpus:8;mem:16384;disk:100000;ports:[31000-32000]", "--attributes=rack:2;zone:a"],
    });
    agent.start();
    scheduler = new TestScheduler({ master: address, name: `marathon ${HOSTILE}`, checkpoint: true });
    await scheduler.subscribe();
    await scheduler.launch([
      {
        ...commandTask("hostile", `printf '%s\\n' "$OUT"; while sleep 0.2; do echo tick; done`),
        name: HOSTILE,
        command: {
          value: `touch '<b>file<b>'; printf '%s\\n' "$OUT"; while [ ! -e go ]; do sleep 0.1; done; echo it goes on; exec sleep 1000`,
          shell: true,
          environment: { variables: [{ name: "OUT", type: 1, value: HOSTILE_OUTPUT }] },
        },
      } as never,
      commandTask("plain", "exec sleep 1000"),
      commandTask("done", "echo finished"),
    ]);
    await scheduler.until("three tasks", () => {
      const { updates } = scheduler;
      const running = updates.filter(({ state }) => state === TaskState.TASK_RUNNING).length;
      return running >= 2 && scheduler.terminalOf("done") !== undefined;
    });
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
  });

  afterAll(async () => {
    await browser?.close();
    scheduler?.close();
    await agent?.destroy();
    await master?.stop();
  });

  const shot = async (name: string): Promise<void> => {
    if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  };
  const sandbox = async (taskId: string): Promise<string> => {
    const state = (await (await fetch(`${home()}state`)).json()) as {
      frameworks: { executors: { id: string; directory: string }[] }[];
    };
    const executors = state.frameworks.flatMap(({ executors: all }) => all);
    return executors.find(({ id }) => id === taskId)?.directory ?? "";
  };

  it("shows the node and its tasks; a hostile name is text", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await page.goto(home());
    await page.getByText("registered").waitFor();
    expect(await page.title()).toBe("127.0.0.1 – Mesos agent");
    expect(await page.locator("#frameworks .name").allTextContents()).toEqual([HOSTILE, "plain"]);
    expect(await page.locator("#frameworks h3").textContent()).toBe(`marathon ${HOSTILE}`);
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.locator("#frameworks .badge").allTextContents()).toEqual(["running", "running"]);
    expect(await page.locator("#resources li").allTextContents()).toContainEqual(
      expect.stringMatching(/^cpus0 of 8|^cpus0\.\d+ of 8/),
    );
    // Memory comes from /monitor/statistics.
    await page
      .locator("#frameworks td", { hasText: / MB of \d+ MB/ })
      .first()
      .waitFor();
    await shot("tasks-light");
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("tasks-dark");
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("filters, and shows what has ended", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await page.getByLabel("Filter").first().fill("PLAIN");
    expect(await page.locator("#frameworks .name").allTextContents()).toEqual(["plain"]);
    await page.getByLabel("Filter").first().fill("nowhere");
    await page.getByText("Nothing that runs here has this").waitFor();
    await page.getByLabel("Filter").first().fill("");
    await page.getByRole("link", { name: "Completed" }).click();
    await page.locator("#completed tr", { hasText: "finished" }).getByText("done").waitFor();
    await shot("completed");
  });

  it("shows flags and metrics", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await page.getByRole("link", { name: "Node", exact: true }).click();
    await page.locator("#facts div", { hasText: "Attribute rack" }).getByText("2").waitFor();
    expect(await page.locator("#facts a").first().getAttribute("href")).toBe(`${master.url}/`);
    expect(await page.locator("#flags div", { hasText: "work_dir" }).locator("dd").textContent()).toBe(agent.workDir);
    await shot("node");
    await page.getByRole("link", { name: "Metrics", exact: true }).click();
    await page.locator("#metrics div", { hasText: "slave/tasks_running" }).getByText("2").waitFor();
    await shot("metrics");
  });

  it("browses a sandbox and follows a file", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await page.getByRole("link", { name: "Tasks" }).click();
    await page.getByRole("link", { name: `files of ${HOSTILE}` }).click();
    await page.getByRole("link", { name: "<b>file<b>" }).waitFor();
    expect(await page.locator("#heading-files").textContent()).toBe(HOSTILE);
    await shot("folder");
    await page.getByRole("link", { name: "stdout" }).click();
    const text = page.locator("#text");
    await text.getByText(HOSTILE_OUTPUT).waitFor();
    // Its own blocks and colours, and nothing that the output says.
    expect(await text.locator(":not(div, span)").count()).toBe(0);
    const folder = await sandbox("hostile");
    appendFileSync(join(folder, "go"), "");
    await text.getByText("it goes on").waitFor();
    // A character that arrives in two parts is one character.
    appendFileSync(join(folder, "stdout"), Buffer.from([0x67, 0x72, 0xc3]));
    await text.getByText(/gr$/).waitFor();
    appendFileSync(join(folder, "stdout"), Buffer.from([0xbc, 0x6e, 0x0a]));
    await text.getByText("grün").waitFor();
    await shot("file");
    await page.goBack();
    await page.getByRole("link", { name: "<b>file<b>" }).waitFor();
    await page.goBack();
    await page.locator("#frameworks .name", { hasText: "plain" }).waitFor();
  });

  it("shows a large file from its end on, and the rest when asked", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    const folder = await sandbox("plain");
    const lines = Array.from({ length: 12_000 }, (_, index) => `line ${String(index).padStart(5, "0")}\n`).join("");
    appendFileSync(join(folder, "stdout"), lines);
    await page.getByRole("link", { name: "stdout of plain" }).click();
    const content = (): Promise<string> => page.locator("#text").evaluate((node) => node.textContent);
    await page.locator("#text").getByText("line 11999").waitFor();
    expect(await content()).not.toContain("line 00000");
    const fromEnd = () => page.locator("#text").evaluate((n) => n.scrollHeight - n.scrollTop - n.clientHeight);
    await expect.poll(fromEnd).toBeLessThan(40);
    for (let left = 6; left > 0 && !(await page.locator("#earlier").isDisabled()); left--) {
      const before = (await content()).length;
      await page.locator("#earlier").click();
      await expect.poll(async () => (await content()).length).toBeGreaterThan(before);
    }
    expect((await content()).endsWith(lines)).toBe(true);
    await page.getByRole("link", { name: "Tasks" }).click();
  });

  it("keeps the place when it updates", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    const link = page.getByRole("link", { name: "stdout of plain" });
    await link.focus();
    const node = await link.elementHandle();
    const when = page.locator("#updated");
    const before = await when.textContent();
    await expect.poll(() => when.textContent(), { timeout: 60_000 }).not.toBe(before);
    expect(await node?.evaluate((element) => element.isConnected && element.matches(":focus"))).toBe(true);
  });

  it("can be used on a narrow screen and from the keyboard", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.locator("html").evaluate((root) => root.scrollWidth)).toBeLessThanOrEqual(360);
    await shot("narrow");
    await page.goto(home());
    await page.locator("#frameworks .name", { hasText: "plain" }).waitFor();
    const reached: string[] = [];
    for (let step = 0; step < 20; step++) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate<string>("document.activeElement?.textContent.trim() ?? ''"));
    }
    expect(reached[0]).toBe("Skip to the content");
    for (const name of ["Completed", "Node", "Metrics", "stdout", "files"]) expect(reached).toContain(name);
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  it("lets a master's page of another origin read by JSONP", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    const origin = await serveEmptyPage();
    const other = await browser.newPage();
    await other.goto(`http://localhost:${origin.port}/`);
    const ask = (path: string): Promise<unknown> =>
      other.evaluate(jsonp(`${home()}${path}${path.includes("?") ? "&" : "?"}jsonp=angular.callbacks._0`));
    const folder = await sandbox("hostile");
    const path = encodeURIComponent(folder);
    expect(await ask("slave(1)/state")).toMatchObject({ hostname: "127.0.0.1", frameworks: [{ executors: [{}, {}] }] });
    expect(await ask("slave(1)/state.json")).toMatchObject({ hostname: "127.0.0.1" });
    expect(await ask(`files/browse?path=${path}`)).toContainEqual(
      expect.objectContaining({ path: `${folder}/stdout`, mode: "-rw-r--r--" }),
    );
    const read = await ask(`files/read?path=${path}%2Fstdout&offset=0&length=50000`);
    expect(read).toMatchObject({ offset: 0, data: expect.stringContaining(HOSTILE_OUTPUT) });
    expect(await ask("metrics/snapshot")).toMatchObject({ "slave/tasks_running": 2 });
    // The same by fetch, as newer masters' pages do.
    const status = await other.evaluate(async (url) => (await fetch(url)).status, `${home()}state`);
    expect(status).toBe(200);
    await other.close();
    await origin.close();
  });

  it("says that the agent is away, and goes on when it is back", async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    expect(complaints).toEqual([]);
    await agent.end("SIGKILL");
    await page.getByText("The agent does not answer. What you see is from").waitFor();
    expect(await page.locator("#phase").textContent()).toBe("away");
    expect(await page.locator("#frameworks .name").allTextContents()).toEqual([HOSTILE, "plain"]);
    await shot("away");
    agent.start();
    await page.locator("#away").waitFor({ state: "hidden" });
    await page.locator("#frameworks .name", { hasText: "plain" }).waitFor();
  });
});

/** Code for a page that loads `url` as a script, as Angular's JSONP does, and gives what the callback was called with. */
const jsonp = (url: string): string => `new Promise((resolve, reject) => {
  globalThis.angular = { callbacks: { _0: resolve } };
  const script = document.createElement("script");
  script.src = ${JSON.stringify(url)};
  script.onerror = () => reject(new Error("the script did not load"));
  document.head.append(script);
})`;

async function serveEmptyPage(): Promise<{ port: number; close: () => Promise<void> }> {
  const server: Server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Mesos</title>");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { port: (server.address() as AddressInfo).port, close };
}
