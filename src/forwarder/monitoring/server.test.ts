import { createServer } from "node:net";
import { afterEach, expect, it } from "vitest";
import { freePort } from "../../../test/support/free-port.ts";
import { silentLogger } from "../../base/log.ts";
import { StatusServer } from "./server.ts";

let server: StatusServer | undefined;
afterEach(() => server?.close());

async function serve(): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const port = await freePort();
  server = new StatusServer(`127.0.0.1:${port}`, silentLogger);
  await server.listen();
  return (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
}

it("answers HEAD, OPTIONS, other methods and other paths as every server of this house", async () => {
  const ask = await serve();
  expect((await ask("/health")).status).toBe(200);
  for (const path of ["/", "/status", "/metrics"]) expect((await ask(path)).status, path).toBe(503);
  for (const path of ["/", "/status", "/metrics", "/health"]) {
    const options = await ask(path, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")], path).toEqual([204, "GET, HEAD, OPTIONS"]);
    const posted = await ask(path, { method: "POST", body: "x" });
    expect([posted.status, posted.headers.get("allow"), await posted.text()], path).toEqual([
      405,
      "GET, HEAD",
      "only GET and HEAD\n",
    ]);
  }
  const head = await ask("/health", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3", ""]);
  const none = await ask("/nothing");
  expect([none.status, await none.text()]).toEqual([404, "there are /status, /metrics and /health\n"]);
});

it("says which address cannot be had", async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
  const { port } = taken.address() as { port: number };
  await expect(new StatusServer(`127.0.0.1:${port}`, silentLogger).listen()).rejects.toThrow(
    `cannot serve the status at 127.0.0.1:${port}`,
  );
  taken.close();
});
