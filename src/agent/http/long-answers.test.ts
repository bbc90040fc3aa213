import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import type { Answer } from "../../http/answer.ts";
import { answerPace } from "../../http/paced-body.ts";
import { AttachedFiles, type ShownFiles } from "./files/attached.ts";
import { browse, debug } from "./files/pages.ts";
import { containers, statistics, tasks } from "./small-pages.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const MANY = 2000;
const view = agentView({ tasks: MANY, completed: MANY, measured: MANY });
const none = () => undefined;

async function read(answer: Answer | Promise<Answer>): Promise<unknown> {
  const shown = await answer;
  if (shown.kind !== "json") throw new Error(`answered ${JSON.stringify(shown)}`);
  return JSON.parse(shown.text.toString());
}

/** What a page answers, and in how many turns it was made. */
async function inTurns(answer: () => Answer | Promise<Answer>): Promise<{ shown: unknown; turns: number }> {
  const before = answerPace.turns;
  return { shown: await read(answer()), turns: answerPace.turns - before };
}

function manySandboxes(): AttachedFiles {
  const files = new AttachedFiles();
  for (let index = 0; index < MANY; index++) {
    const id = (index * 7919) % 10_007;
    const directory = `/work/slaves/S/frameworks/F/executors/e${id}/runs/c${id}`;
    files.attachRun(directory, { kind: "sandbox", user: "nobody" }, { isLatest: true });
  }
  return files;
}

it.each([
  ["/tasks", () => tasks(view, none), 2 * MANY],
  ["/monitor/statistics", () => statistics(view), MANY],
  ["/containers", () => containers(view, none), MANY],
  ["/files/debug", () => debug(manySandboxes()), 3 * MANY],
] as const)("%s of thousands is made in many turns, and whole", async (_page, answer, count) => {
  const { shown, turns } = await inTurns(answer);
  expect(turns).toBeGreaterThan(count / 256);
  const found = Array.isArray(shown) ? shown : ((shown as { tasks?: unknown[] }).tasks ?? Object.keys(shown as object));
  expect(found).toHaveLength(count);
});

it("/files/debug has its paths in order, each with what it leads to", async () => {
  const files = manySandboxes();
  files.attach("/var/log/mesos", "/slave/log");
  const shown = (await read(debug(files))) as Record<string, string>;
  expect(Object.keys(shown)).toEqual(Object.keys(shown).sort());
  expect(shown["/slave/log"]).toBe("/var/log/mesos");
  expect(shown["/frameworks/F/executors/e7919/runs/latest"]).toBe(
    "/work/slaves/S/frameworks/F/executors/e7919/runs/c7919",
  );
  expect(await read(debug(new AttachedFiles()))).toEqual({});
});

it("those who ask for /tasks at the same time share an answer", async () => {
  let snapshots = 0;
  const counted = {
    ...view,
    snapshot: () => {
      snapshots++;
      return view.snapshot();
    },
  };
  await Promise.all(Array.from({ length: 10 }, () => tasks(counted, none)));
  // One that has begun, and one that began after all had asked.
  expect(snapshots).toBe(2);
});

it("few folders are listed at once: the others are not even open", async () => {
  const folder = mkdtempSync(join(tmpdir(), "browse-"));
  folders.push(folder);
  for (let index = 0; index < 40; index++) writeFileSync(join(folder, `f${index}`), "x");
  const files = new AttachedFiles();
  files.attach(folder, "/sandbox");
  let [open, most] = [0, 0];
  const counting: ShownFiles = {
    ownerOf: (path) => files.ownerOf(path),
    entries: () => files.entries(),
    open: async (path) => {
      const opened = await files.open(path);
      most = Math.max(most, ++open);
      const close = opened.handle.close.bind(opened.handle);
      opened.handle.close = async () => {
        open--;
        await close();
      };
      return opened;
    },
  };
  const all = await Promise.all(
    Array.from({ length: 20 }, () => read(browse(counting, (name) => (name === "path" ? "/sandbox" : undefined)))),
  );
  expect(most).toBeLessThanOrEqual(3);
  expect(open).toBe(0);
  const names = Array.from({ length: 40 }, (_, index) => `/sandbox/f${index}`).sort();
  for (const shown of all) expect((shown as { path: string }[]).map(({ path }) => path)).toEqual(names);
});
