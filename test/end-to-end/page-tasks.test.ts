import { appendFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { whyNoBrowser } from "../support/browser.ts";
import { PageHost } from "../support/page-host.ts";
import { commandTask } from "../support/scheduler.ts";

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

/** An element in the browser, as far as it is measured here. */
interface Box {
  getBoundingClientRect(): { readonly height: number };
}

/** Names as people and programs make them. */
const ODD_NAMES = [
  "x".repeat(264),
  `${"very-long-segment.".repeat(14)}end`,
  "a b c  d   e",
  "мир-сервис",
  "名前".repeat(60),
  "\u202Eright-to-left",
  "<b>bold</b>",
  "emoji 🚀🚀🚀",
  "  ",
  "-",
  "0",
  "null",
  "a/b/c/d",
  "%2e%2e",
  "tab\tname",
  "Ünïcödé ".repeat(12),
  "w".repeat(80),
  "quote'\"`",
  "&amp;",
  "short",
];

describe.skipIf(missing !== undefined)("the tasks on the node's page", () => {
  let host: PageHost;
  let silent: Server;

  beforeAll(async () => {
    host = await PageHost.open({
      name: `framework ${"long ".repeat(40)}`,
      flags: ["--fetcher_stall_timeout=1hrs"],
    });
    // Takes the request, and never answers.
    silent = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const uri = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/file.tgz`;
    const odd = ODD_NAMES.map((name, index) => commandTask(`odd-${index}`, "exec sleep 1000", { name }));
    const web = commandTask("web", "echo started; exec sleep 1000", {
      resources: [
        { name: "cpus", type: 0, scalar: { value: 0.1 } },
        { name: "mem", type: 0, scalar: { value: 32 } },
        { name: "ports", type: 1, ranges: { range: [{ begin: 31_010n, end: 31_010n }] } },
      ],
      labels: { labels: [{ key: "team", value: "blue" }] },
      discovery: { visibility: 1, name: "web", ports: { ports: [{ number: 31_010, name: "http", protocol: "tcp" }] } },
      command: {
        value: "echo started; exec sleep 1000",
        shell: true,
        environment: { variables: [{ name: "PASSWORD", type: 1, value: "not-to-be-seen" }] },
      },
    });
    await host.scheduler.launch([
      ...odd,
      web,
      commandTask("checked", "exec sleep 1000", {
        healthCheck: { type: 1, command: { value: "true" }, delaySeconds: 0, intervalSeconds: 1 },
      }),
      commandTask("failing", "echo no; exit 7"),
      commandTask("killed", "kill -9 $$"),
      commandTask("fine", "true"),
      commandTask("fetching", "true", {
        command: { value: "true", shell: true, uris: [{ value: uri, extract: false }] },
      }),
    ]);
    const { scheduler } = host;
    await scheduler.until("all tasks", () => {
      const running = scheduler.updates.filter(({ state }) => state === TaskState.TASK_RUNNING).length;
      return running >= ODD_NAMES.length + 2 && ["failing", "killed", "fine"].every((id) => scheduler.terminalOf(id));
    });
  });

  afterAll(async () => {
    await host?.close();
    silent?.closeAllConnections();
    silent?.close();
  });

  it("say why they ended", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/completed`);
    const row = (id: string) => page.locator("#completed tr", { has: page.locator(".name", { hasText: id }) });
    await row("failing").waitFor();
    expect(await row("failing").locator(".why").textContent()).toBe("Command exited with status 7 · SOURCE_EXECUTOR");
    expect(await row("killed").locator(".why").textContent()).toMatch(/terminated with signal Killed/);
    expect(await row("failing").locator(".badge").getAttribute("data-tone")).toBe("bad");
    expect(await page.locator("#completed-counts button").allTextContents()).toEqual(["2 failed", "1 finished"]);
    await host.inEachWidth("completed", async () => expect(await host.isTooWide()).toBe(false));
  });

  it("say that they are healthy, and what all of their framework use", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/?q=checked`);
    await page.locator("#frameworks .badge", { hasText: "running, healthy" }).waitFor();
    const about = page.locator("#frameworks .framework > .quiet");
    await about
      .getByText(/^\d\d tasks · CPU [\d.]+ of [\d.]+ · memory [\d.]+ MB of [\d.]+ [MG]B · user root · /)
      .waitFor();
    await page.locator("#frameworks").getByRole("link", { name: "checked", exact: true }).click();
    await page.locator("#task-state", { hasText: "running, healthy" }).waitFor();
    const role = page.locator("#task-facts div", { has: page.locator('dt:text-is("Role")') });
    await role.getByText("*", { exact: true }).waitFor();
  });

  it("say what they wait for", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/?q=fetching`);
    await page.locator("#frameworks .why", { hasText: /^fetching http:\/\/127\.0\.0\.1:\d+\/file\.tgz$/ }).waitFor();
    expect(await page.locator("#frameworks .badge").textContent()).toBe("queued");
  });

  it("have a page each: events with times, what they are, their ports as links; no value of a variable", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/completed`);
    await page.getByRole("link", { name: "failing", exact: true }).click();
    const events = page.locator("#task-events tbody tr");
    await expect.poll(() => events.locator(".badge").allTextContents()).toEqual(["starting", "running", "failed"]);
    expect(await events.last().locator("td").last().textContent()).toBe(
      "Command exited with status 7 · SOURCE_EXECUTOR",
    );
    expect(await page.locator("#task-why").textContent()).toContain("Command exited with status 7");
    await host.shoot("task-failed");
    await page.goto(`${host.home}#/?q=web`);
    await page.locator("#frameworks").getByRole("link", { name: "web", exact: true }).click();
    const fact = (name: string) =>
      page.locator("#task-facts div", { has: page.locator(`dt:text-is("${name}")`) }).locator("dd");
    await fact("Command").getByText("exec sleep 1000").waitFor();
    expect(await fact("Labels").textContent()).toBe("team: blue");
    expect(await fact("Environment").textContent()).toBe("PASSWORD");
    const port = fact("Ports").getByRole("link");
    expect(await port.getAttribute("href")).toBe("http://127.0.0.1:31010/");
    expect(await page.content()).not.toContain("not-to-be-seen");
    await fact("Task id").getByRole("button", { name: "Copy" }).click();
    await fact("Task id")
      .getByText(/Copied|Not allowed/)
      .waitFor();
    // Two looks later there is a curve.
    await page.locator("#task-cpu svg.plot:not([hidden])").waitFor();
    await host.inEachWidth("task", async () => expect(await host.isTooWide()).toBe(false));
    await page.locator("#task-links").getByRole("link", { name: "stdout" }).click();
    await page.locator("#text").getByText("started").waitFor();
    await page.locator("#outputs").getByRole("link", { name: "stderr" }).click();
    await page.locator('#outputs a[aria-current="page"]', { hasText: "stderr" }).waitFor();
  });

  it("hold any name in any width: short cells stay in one line, names keep their room", async () => {
    const { page } = host;
    await page.goto(host.home);
    await page.locator("#frameworks tbody tr").nth(20).waitFor();
    await page.locator("#frameworks svg.spark:not([hidden])").first().waitFor();
    await host.inEachWidth("names", async (width) => {
      expect(await host.isTooWide(), `${width}`).toBe(false);
      const boxes = await page.locator("#frameworks tbody tr").evaluateAll((rows) =>
        rows.map((row) => {
          const heightOf = (node: Box | null | undefined): number => node?.getBoundingClientRect().height ?? 0;
          const [state, started, , , output] = row.querySelectorAll("td");
          return {
            name: row.querySelector("th")?.getBoundingClientRect().width ?? 0,
            nameHeight: heightOf(row.querySelector(".name")),
            badge: heightOf(state?.firstElementChild),
            started: (started?.firstChild as { wholeText?: string } | null)?.wholeText ?? "",
            links: new Set([...(output?.querySelectorAll("a") ?? [])].map((link) => link.getBoundingClientRect().top))
              .size,
          };
        }),
      );
      for (const { name, nameHeight, badge, links } of boxes) {
        expect(name, `name at ${width}`).toBeGreaterThan(200);
        expect(nameHeight, `two lines at ${width}`).toBeLessThan(50);
        expect(badge, `badge at ${width}`).toBeLessThan(30);
        expect(links, `links at ${width}`).toBeLessThanOrEqual(1);
      }
    });
  });

  it("have folders, and metrics, that hold in any width", async () => {
    const { page } = host;
    const folder = await host.sandbox("web");
    appendFileSync(join(folder, `${"long-name-".repeat(24)}.log`), "x".repeat(5_000));
    await page.goto(`${host.home}#/files?path=${encodeURIComponent(folder)}`);
    await page.locator("#folder a", { hasText: "long-name-" }).waitFor();
    await host.inEachWidth("folder", async (width) => {
      expect(await host.isTooWide()).toBe(false);
      // Short cells are a line, on narrow screens with their label above it, whatever the name beside them is.
      const short = page.locator(width < 900 ? "#folder td" : "#folder tr:has(a:text-is('stderr')) > *");
      const heights = await short.evaluateAll((all: Box[]) => all.map((cell) => cell.getBoundingClientRect().height));
      expect(Math.max(...heights), `${width}`).toBeLessThan(50);
    });
    await page.goto(`${host.home}#/metrics`);
    await page.locator("#metrics div", { hasText: "slave/tasks_running" }).waitFor();
    await host.inEachWidth("metrics", async () => expect(await host.isTooWide()).toBe(false));
  });

  it("are counted, filtered and sorted, and the address keeps that", async () => {
    const { page } = host;
    await page.goto(host.home);
    const names = page.locator("#frameworks .name");
    await names.first().waitFor();
    await page.getByLabel("Filter").first().fill("ODD-1");
    expect(await names.count()).toBe(11);
    await page.getByLabel("Sort").first().selectOption("name");
    expect(new URL(page.url()).hash).toBe("#/?q=ODD-1&sort=name");
    await page.reload();
    await names.first().waitFor();
    expect(await names.count()).toBe(11);
    const shown = await names.allTextContents();
    expect(shown).toEqual(shown.toSorted((left, right) => (left.toLowerCase() < right.toLowerCase() ? -1 : 1)));
    expect(await page.getByLabel("Filter").first().inputValue()).toBe("ODD-1");
    await page.getByLabel("Filter").first().fill("");
    await page.locator("#tasks-counts button", { hasText: "queued" }).click();
    expect(new URL(page.url()).hash).toContain("state=queued");
    await expect.poll(() => names.allTextContents()).toEqual(["fetching"]);
    await page.locator("#tasks-counts button", { hasText: "queued" }).click();
    expect(await names.count()).toBeGreaterThan(20);
  });

  it("are there after a restart of the agent, those that had ended with their sandboxes and why", async () => {
    const { page, agent } = host;
    await page.goto(host.home);
    await page.getByText("registered").waitFor();
    await agent.end("SIGKILL");
    await expect.poll(() => page.title()).toBe("⚠ away: 127.0.0.1 – Mesos agent");
    agent.start();
    await page.locator("#away").waitFor({ state: "hidden" });
    await expect.poll(() => page.title()).toBe("127.0.0.1 – Mesos agent");
    await page.goto(`${host.home}#/completed`);
    const row = page.locator("#completed tr", { has: page.locator(".name", { hasText: "failing" }) });
    await row.locator(".why", { hasText: "Command exited with status 7" }).waitFor();
    await row.getByRole("link", { name: "stdout of failing" }).click();
    await page.locator("#text").getByText("no", { exact: true }).waitFor();
    await page.goto(`${host.home}#/?q=web`);
    await page.locator("#frameworks").getByRole("link", { name: "web", exact: true }).click();
    await expect.poll(() => page.locator("#task-events .badge").allTextContents()).toEqual(["starting", "running"]);
  });

  it("are looked at without filling the agent's log", async () => {
    const { agent, page } = host;
    await page.goto(host.home);
    const when = page.locator("#updated");
    const before = await when.textContent();
    await expect.poll(() => when.textContent(), { timeout: 60_000 }).not.toBe(before);
    expect(agent.log.split("\n").filter((line) => /HTTP GET/.test(line) && /HeadlessChrome/.test(line))).toHaveLength(
      2,
    );
    expect(host.complaints.filter((text) => !/ERR_CONNECTION_REFUSED|503|ERR_/.test(text))).toEqual([]);
  });

  it("stand beside the machine, and help that reads well", async () => {
    const { page } = host;
    await page.goto(`${host.home}#/node`);
    await page.locator("#machine div", { hasText: "Kernel" }).waitFor();
    expect(await page.locator("#machine dt").allTextContents()).toEqual(
      expect.arrayContaining(["Kernel", "Control groups", "CPUs", "Memory", "Out of memory"]),
    );
    await host.inEachWidth("node", async () => expect(await host.isTooWide()).toBe(false));
    await page.getByRole("link", { name: "Endpoints" }).click();
    await page.getByRole("link", { name: "/slave(1)/tasks" }).waitFor();
    await host.inEachWidth("help", async () => expect(await host.isTooWide()).toBe(false));
  });
});
