import { afterEach, beforeEach, expect, test } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";

let master: LocalMaster;
beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
});
afterEach(() => master.stop());

async function ask(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string; allow: string | null }> {
  const answer = await fetch(`${master.url}${path}`, init);
  return { status: answer.status, text: await answer.text(), allow: answer.headers.get("allow") };
}

test("errors are this master's own words, not the web framework's", async () => {
  expect(await ask("/nothing?x=1")).toMatchObject({
    status: 404,
    text: "There is no /nothing here: /help lists what there is\n",
  });
  expect(await ask("/state", { method: "DELETE" })).toMatchObject({
    status: 405,
    allow: expect.stringContaining("GET"),
  });
  expect(await ask("/%zz")).toMatchObject({ status: expect.toSatisfy((status) => status === 400 || status === 404) });
  for (const path of ["/nothing", "/%zz"]) expect((await ask(path)).text).not.toMatch(/statusCode|FST_|Route GET/);
});

test("/help lists every path with its methods", async () => {
  const { status, text } = await ask("/help");
  expect(status).toBe(200);
  for (const line of ["GET      /state", "POST     /teardown", "GET      /roles"])
    expect(text.split("\n")).toContain(line);
});

test("/roles: those that a framework has", async () => {
  expect(JSON.parse((await ask("/roles")).text)).toEqual({ roles: [] });
  const subscribe = {
    type: "SUBSCRIBE",
    subscribe: { framework_info: { user: "u", name: "n", roles: ["web"], capabilities: [{ type: "MULTI_ROLE" }] } },
  };
  const stream = await fetch(`${master.url}/api/v1/scheduler`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(subscribe),
  });
  await stream.body?.getReader().read();
  expect(JSON.parse((await ask("/master/roles")).text)).toMatchObject({
    roles: [{ name: "web", weight: 1, frameworks: [expect.stringMatching(/-0000$/)], resources: { cpus: 0 } }],
  });
});

test("a call that is too large is refused with the size that it may have", async () => {
  const body = Buffer.alloc(16 * 1024 * 1024 + 1, " ");
  const headers = { "content-type": "application/json" };
  for (const path of ["/api/v1", "/api/v1/scheduler"])
    expect(await ask(path, { method: "POST", headers, body })).toMatchObject({
      status: 413,
      text: "The body is larger than 16 MB\n",
    });
});
