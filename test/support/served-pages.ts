import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { AttachedFiles } from "../../src/agent/http/files/attached.ts";
import { createAgentHttp } from "../../src/agent/http/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { agentView } from "./agent-view.ts";

export interface Got {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  readonly text: string;
}

export interface Asked {
  readonly port?: number;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** A sandbox with everything that may lie in one, beside what must not be reached from it. */
function layOut(folder: string): string {
  const sandbox = join(folder, "work", "sandbox");
  mkdirSync(join(sandbox, "sub"), { recursive: true });
  mkdirSync(join(folder, "work", "sandbox-of-another"));
  writeFileSync(join(folder, "work", "sandbox-of-another", "secret"), "another's");
  writeFileSync(join(folder, "secret"), "secret");
  writeFileSync(join(sandbox, "stdout"), 'hello\n"world"\n');
  writeFileSync(join(sandbox, "bytes"), Buffer.from([0x61, 0xe2, 0x82, 0xac, 0xff, 0x00, 0x0a]));
  writeFileSync(join(sandbox, "big"), Buffer.alloc(200_000, "x"));
  writeFileSync(join(sandbox, "empty"), "");
  writeFileSync(join(sandbox, 'näme "1".txt'), "named");
  symlinkSync("../../secret", join(sandbox, "out"));
  symlinkSync("/", join(sandbox, "root"));
  symlinkSync("../sandbox-of-another", join(sandbox, "sibling"));
  symlinkSync("stdout", join(sandbox, "inside"));
  symlinkSync("loop", join(sandbox, "loop"));
  return sandbox;
}

/** An executor API that takes everything, and a web page that is not there. */
export const noExecutors = { handle: () => ({ status: 202, body: "" }) };
export const noPage = { problem: "no page in this test" };

/** A raw request: the path goes out exactly as written. */
function request(path: string, { body, ...options }: Asked): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const all = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, text: all.toString("utf8") });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The agent's pages over a sandbox, served while the tests of a file run. Call it at the top of the file. */
export function servedPages() {
  const folder = mkdtempSync(join(tmpdir(), "http-pages-"));
  const sandbox = layOut(folder);
  const view = agentView({ tasks: 3 });
  const files = new AttachedFiles();
  let served: { readonly port: number; close(): Promise<void> };

  const serve = async (more: Partial<Parameters<typeof createAgentHttp>[0]> = {}): Promise<typeof served> => {
    const http = createAgentHttp({
      ...{ view, files, executors: noExecutors, ui: noPage },
      ...{ log: silentLogger, clock: systemClock, rate: "none", ...more },
    });
    const server = createServer(http.handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      port: (server.address() as AddressInfo).port,
      close: async () => {
        http.close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  };

  beforeAll(async () => {
    files.attach(sandbox);
    files.attach(join(sandbox, "inside"), "/slave/log");
    served = await serve();
  });
  afterAll(async () => {
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    sandbox,
    view,
    serve,
    ask: (path: string, options: Asked = {}) => request(path, { port: served.port, ...options }),
    /** The query that names a file of the sandbox. */
    path: (name: string) => `?path=${encodeURIComponent(join(sandbox, name))}`,
  };
}
