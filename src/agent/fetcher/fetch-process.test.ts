import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CommandInfo_URISchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { fetchInProcess, wholeLines } from "./fetch-process.ts";
import { planFetch } from "./plan.ts";

let base: string;
let open: number[];
let server: Server;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "fetch-process-"));
  mkdirSync(join(base, "sandbox"));
  open = ["stdout", "stderr"].map((name) => openSync(join(base, "sandbox", name), "a"));
  open.push(openSync(join(base, "sandbox"), "r"));
  server = createServer(() => undefined);
});
afterEach(() => {
  for (const descriptor of open) closeSync(descriptor);
  server.closeAllConnections();
  server.close();
  rmSync(base, { recursive: true, force: true });
});

function run(uri: string, signal = new AbortController().signal, environment = { PATH: "/usr/bin:/bin" }) {
  const [stdout = 0, stderr = 0, sandbox = 0] = open;
  const item = planFetch(create(CommandInfo_URISchema, { value: uri }), undefined);
  return fetchInProcess(
    {
      user: undefined,
      sandbox: "/shown",
      items: [{ item, cached: undefined }],
      stallTimeout: 0,
      hadoopHome: undefined,
    },
    {
      containerId: "c1",
      environment,
      signal,
      descriptors: { stdout, stderr, sandbox, cached: [] },
      progress: () => undefined,
    },
  );
}

it("a process of its own fetches into the sandbox that it is handed, and answers", async () => {
  writeFileSync(join(base, "file"), "content");
  expect(await run(join(base, "file"))).toEqual({ kind: "done" });
  expect(readFileSync(join(base, "sandbox/file"), "utf8")).toBe("content");
  expect(readFileSync(join(base, "sandbox/stderr"), "utf8")).toContain("Fetched '");
  expect(await run(join(base, "none"))).toMatchObject({ kind: "failed", uri: join(base, "none") });
});

it("it ends with its container, with what it runs; one that is over is not begun", async () => {
  const asked = new Promise<IncomingMessage>((resolve) => server.once("request", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const abort = new AbortController();
  const fetched = run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, abort.signal);
  const { socket } = await asked;
  const cut = new Promise((resolve) => socket.once("close", resolve));
  abort.abort(new Error("killed"));
  await expect(fetched).rejects.toThrow("killed");
  // Its connection is cut when it is dead.
  await cut;
  expect(() => run(join(base, "file"), AbortSignal.abort(new Error("killed before")))).toThrow("killed before");
  expect(existsSync(join(base, "sandbox/file"))).toBe(false);
});

it("one that ends without an answer has failed, and how is said", async () => {
  const broken = { PATH: "/usr/bin:/bin", NODE_OPTIONS: "--no-such-option" };
  await expect(run(join(base, "file"), undefined, broken)).rejects.toThrow(
    /^the fetch process exited with status \d+ without an answer$/,
  );
});

it("of its lines none is lost, however many come at once, and one without an end is not kept for ever", () => {
  const news = "{}\n".repeat(30_000);
  const first = wholeLines("", `${news}{"kind":"do`);
  expect(first.lines).toHaveLength(30_000);
  expect(wholeLines(first.rest, 'ne"}\n')).toEqual({ lines: ['{"kind":"done"}'], rest: "" });
  expect(wholeLines("x".repeat(65_536), "x".repeat(65_536)).rest).toHaveLength(65_536);
});
