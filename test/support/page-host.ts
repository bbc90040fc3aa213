import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { startBrowser } from "./browser.ts";
import { freePort } from "./free-port.ts";
import { AgentProcess } from "./real-agent.ts";
import { TestScheduler } from "./scheduler.ts";

/** Where the pictures of a run are kept: artefacts to be looked at, outside of the repository. */
const SHOTS = process.env["PAGE_TEST_SCREENSHOTS"] ?? join(tmpdir(), "mesos-slave-page");

/** Widths that the page is looked at in: a telephone, half a screen, a laptop, a wall. */
const WIDTHS = [390, 800, 1280, 1920] as const;

/** A development master, an agent in a process of its own, a framework, and a browser on the node's page. */
export class PageHost {
  readonly master: LocalMaster;
  readonly agent: AgentProcess;
  readonly scheduler: TestScheduler;
  readonly browser: Browser;
  readonly page: Page;
  /** What the browser's console complained of. */
  readonly complaints: string[] = [];

  private constructor(parts: Pick<PageHost, "master" | "agent" | "scheduler" | "browser" | "page">) {
    this.master = parts.master;
    this.agent = parts.agent;
    this.scheduler = parts.scheduler;
    this.browser = parts.browser;
    this.page = parts.page;
    this.page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(message.text());
    });
    this.page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async open(
    options: {
      name?: string;
      roles?: readonly string[];
      capabilities?: readonly number[];
      resources?: string;
      flags?: readonly string[];
      environment?: NodeJS.ProcessEnv;
      program?: string;
    } = {},
  ): Promise<PageHost> {
    const master = new LocalMaster({ port: 0 });
    await master.start();
    const address = master.url.replace("http://", "");
    const agent = new AgentProcess({
      master: address,
      port: await freePort(),
      flags: [
        `--resources=${options.resources ?? "cpus:8;mem:16384;disk:100000;ports:[31000-32000]"}`,
        ...(options.flags ?? []),
      ],
      environment: options.environment ?? {},
      ...(options.program !== undefined && { program: options.program }),
    });
    agent.start();
    const scheduler = new TestScheduler({
      master: address,
      name: options.name ?? "marathon",
      ...(options.roles && { roles: options.roles }),
      ...(options.capabilities && { capabilities: options.capabilities }),
      checkpoint: true,
      failoverTimeout: 3600,
    });
    await scheduler.subscribe();
    await scheduler.offer();
    const browser = await startBrowser();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(60_000);
    return new PageHost({ master, agent, scheduler, browser, page });
  }

  get home(): string {
    return `http://127.0.0.1:${this.agent.port}/`;
  }

  async json<T>(path: string): Promise<T> {
    return (await (await fetch(`${this.home}${path}`)).json()) as T;
  }

  /** The sandbox of a command task that runs. */
  async sandbox(taskId: string): Promise<string> {
    const { tasks } = await this.json<{ tasks: { directory: string }[] }>(`tasks?task_id=${taskId}`);
    return tasks[0]?.directory ?? "";
  }

  /** A picture of the page as it is, light and dark. */
  async shoot(name: string, fullPage = true): Promise<void> {
    mkdirSync(SHOTS, { recursive: true });
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.screenshot({ path: join(SHOTS, `${name}-${colorScheme}.png`), fullPage });
    }
    await this.page.emulateMedia({ colorScheme: "light" });
  }

  /** Does something in each width, and takes a picture of it. */
  async inEachWidth(name: string, look: (width: number) => Promise<void>, fullPage = true): Promise<void> {
    for (const width of WIDTHS) {
      await this.page.setViewportSize({ width, height: 800 });
      await look(width);
      await this.shoot(`${name}-${width}`, fullPage);
    }
    await this.page.setViewportSize({ width: 1280, height: 800 });
  }

  /** Whether something is wider than the window. */
  async isTooWide(): Promise<boolean> {
    return await this.page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth");
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.scheduler.close();
    await this.agent.destroy();
    await this.master.stop();
  }
}
