import { appendFileSync, closeSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { whyNoBrowser } from "../support/browser.ts";
import { PageHost } from "../support/page-host.ts";
import { commandTask } from "../support/scheduler.ts";

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

const GIGABYTE = 1024 ** 3;
const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `line ${String(from + index).padStart(7, "0")}\n`).join("");

describe.skipIf(missing !== undefined)("the log reader of the node's page", () => {
  let host: PageHost;
  let folder: string;

  beforeAll(async () => {
    host = await PageHost.open();
    await host.scheduler.launch([commandTask("writer", "exec sleep 1000")]);
    await host.scheduler.until("the task", () =>
      host.scheduler.updates.some(({ state }) => state === TaskState.TASK_RUNNING),
    );
    folder = await host.sandbox("writer");
  });

  afterAll(async () => {
    await host?.close();
  });

  const open = async (name: string): Promise<void> => {
    await host.page.goto(`${host.home}#/file?path=${encodeURIComponent(join(folder, name))}`);
    await host.page.locator("#file").waitFor();
  };
  const text = () => host.page.locator("#text");
  const content = (): Promise<string> => text().evaluate((node) => node.textContent);
  const fromEnd = (): Promise<number> =>
    text().evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
  const scrollTo = (top: number): Promise<void> =>
    text().evaluate((node, to) => {
      node.scrollTop = to;
    }, top);
  /** What stands in the box at its upper edge. */
  const firstLine = (): Promise<string> =>
    host.page.evaluate<string>(`(() => {
      const box = document.getElementById("text").getBoundingClientRect();
      const at = document.caretPositionFromPoint(box.left + 20, box.top + 20);
      const all = at.offsetNode.textContent;
      return all.slice(all.lastIndexOf("\\n", at.offset - 1) + 1, all.indexOf("\\n", at.offset));
    })()`);

  it("has its newest line in sight, whatever stands above it", async () => {
    writeFileSync(join(folder, "log"), lines(0, 20_000));
    await open("log");
    await text().getByText("line 0019999").waitFor();
    await host.inEachWidth(
      "reader",
      async (width) => {
        await expect.poll(fromEnd, { message: `${width}` }).toBeLessThan(2);
        const bottom = await host.page.evaluate<number>(
          `document.getElementById("text").getBoundingClientRect().bottom - innerHeight`,
        );
        expect(bottom, `${width}`).toBeLessThanOrEqual(0);
        expect(await host.isTooWide(), `${width}`).toBe(false);
        // What stands above the text leaves it most of the window.
        expect(await text().evaluate((node) => node.clientHeight), `${width}`).toBeGreaterThan(530);
      },
      false,
    );
  });

  it("pauses when one scrolls up: nothing moves, and Newest goes on", async () => {
    await open("log");
    await text().getByText("line 0019999").waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);
    await scrollTo((await text().evaluate((node) => node.scrollTop)) - 400);
    const newest = host.page.getByRole("button", { name: "Newest" });
    await newest.waitFor();
    expect(await host.page.getByLabel("Follow").isChecked()).toBe(false);
    const seen = await firstLine();
    appendFileSync(join(folder, "log"), lines(20_000, 500));
    await host.page.locator("#file-size", { hasText: "of" }).waitFor();
    await expect.poll(() => host.page.locator("#file-size").textContent()).toMatch(/of 260/);
    expect(await firstLine()).toBe(seen);
    await host.shoot("reader-paused", false);
    await newest.click();
    await text().getByText("line 0020499").waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);
    expect(await host.page.getByLabel("Follow").isChecked()).toBe(true);
    // Scrolled back down by hand is the same.
    await scrollTo(0);
    await newest.waitFor();
    const isFollowed = async () => {
      await scrollTo(100_000_000);
      return await host.page.getByLabel("Follow").isChecked();
    };
    await expect.poll(isFollowed, { interval: 100 }).toBe(true);
  });

  it("reads on upwards by itself, with every line once", async () => {
    await open("log");
    await text().getByText("line 0020499").waitFor();
    await expect
      .poll(
        async () => {
          await scrollTo(0);
          return (await content()).startsWith("line 0000000\n");
        },
        { timeout: 60_000 },
      )
      .toBe(true);
    expect(await content()).toBe(lines(0, 20_500));
  });

  it("reaches any point of a file of 1 GB in two clicks", async () => {
    const path = join(folder, "large");
    writeFileSync(path, lines(0, 1_000));
    truncateSync(path, GIGABYTE);
    const file = openSync(path, "r+");
    writeSync(file, lines(5_000_000, 300_000), GIGABYTE / 2 - 2_000_000);
    writeSync(file, lines(9_000_000, 20_000), GIGABYTE - 260_000);
    closeSync(file);
    await open("large");
    await text().getByText("line 9019999").waitFor();
    const slider = host.page.locator("#position");
    const box = await slider.boundingBox();
    if (box === null) throw new Error("no slider");
    await slider.click({ position: { x: box.width / 2, y: box.height / 2 } });
    await text()
      .getByText(/line 5\d{6}/)
      .first()
      .waitFor();
    await expect.poll(() => host.page.locator("#file-size").textContent()).toMatch(/^5\d\d MB of 1 GB$/);
    await host.shoot("reader-middle", false);
    await host.page.getByRole("button", { name: "Start" }).click();
    await text().getByText("line 0000000").waitFor();
    await host.page.getByRole("button", { name: "Newest" }).click();
    await text().getByText("line 9019999").waitFor();
    await expect.poll(fromEnd).toBeLessThan(2);
  });

  it("finds words, and those before, in any part of the file", async () => {
    const path = join(folder, "searched");
    writeFileSync(
      path,
      `${lines(0, 100_000)}Here is the Nädel!\n${lines(100_000, 100_000)}the nädel again\n${lines(200_000, 30_000)}`,
    );
    await open("searched");
    await text().getByText("line 0229999").waitFor();
    const field = host.page.getByLabel("Search in the file");
    const found = (): Promise<string> =>
      host.page.evaluate<string>(`String([...(CSS.highlights.get("found") ?? [])][0] ?? "")`);
    await field.fill("nädel");
    await field.press("Enter");
    await text().getByText("Here is the Nädel!").waitFor();
    await expect.poll(found).toBe("Nädel");
    const isInSight = () =>
      host.page.evaluate<boolean>(`(() => {
      const range = [...CSS.highlights.get("found")][0].getBoundingClientRect();
      const box = document.getElementById("text").getBoundingClientRect();
      return range.top >= box.top && range.bottom <= box.bottom;
    })()`);
    await expect.poll(isInSight).toBe(true);
    await host.shoot("reader-found", false);
    await field.press("Enter");
    await expect.poll(found).toBe("nädel");
    await field.press("Shift+Enter");
    await expect.poll(found).toBe("Nädel");
    await field.fill("nowhere in it");
    await field.press("Enter");
    await host.page.getByText("Not found").waitFor();
  });

  it("shows colours, and of a line that is written over what stands there last", async () => {
    const path = join(folder, "terminal");
    writeFileSync(
      path,
      "\x1b[31mred\x1b[0m plain \x1b[1;32mbold green\x1b[m\ndone 10 %\rdone 20 %\rdone 100 %\r\nnext 1 %\r",
    );
    await open("terminal");
    await text().getByText("done 100 %").waitFor();
    expect(await content()).toBe("red plain bold green\ndone 100 %\nnext 1 %");
    expect(await text().locator("span.c1").textContent()).toBe("red");
    expect(await text().locator("span.c2.bold").textContent()).toBe("bold green");
    appendFileSync(path, "next 2 %\r");
    await expect.poll(content).toBe("red plain bold green\ndone 100 %\nnext 2 %");
    await host.shoot("reader-terminal", false);
  });

  it("costs less than a fifth of a core while a file grows by 1 MB a second", async () => {
    const path = join(folder, "chatty");
    writeFileSync(path, "");
    await open("chatty");
    const session = await host.page.context().newCDPSession(host.page);
    // Time of the processor, not of the clock: the machine may be busy with others.
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async (): Promise<number> => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
    };
    const chunk = lines(0, Math.ceil((1024 * 1024) / 13 / 10));
    const before = await spent();
    const begun = performance.now();
    for (let tenth = 0; tenth < 80; tenth++) {
      appendFileSync(path, chunk);
      await new Promise((done) => setTimeout(done, Math.max(0, begun + (tenth + 1) * 100 - performance.now())));
    }
    const seconds = (performance.now() - begun) / 1000;
    const share = ((await spent()) - before) / seconds;
    console.log(`the reader takes ${(100 * share).toFixed(1)} % of a core at 1 MB/s`);
    expect(share).toBeLessThan(0.2);
    expect(share).toBeGreaterThan(0);
    await expect.poll(async () => (await content()).length).toBeGreaterThan(10_000);
  });
});
