import type { Server } from "node:http";
import type { Socket } from "node:net";
import { messageOf, UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Answer, text } from "../../http/answer.ts";
import { Origins } from "../../http/origins.ts";
import { allowedMethod, type HttpHandler, options, type Route, serving } from "../../http/site.ts";
import type { Status } from "./status.ts";

/** The metrics of one scrape in Prometheus' text form. prom-client is loaded only when someone asks. */
async function metricsText(status: Status): Promise<string> {
  const { Gauge, Counter, Registry } = await import("prom-client");
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `logstash_forwarder_${name}`, help, labelNames, registers: [registry] });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `logstash_forwarder_${name}`, help, labelNames, registers: [registry] });
  counter("events_total", "Events acknowledged").inc(status.shipped.events);
  counter("windows_total", "Windows acknowledged").inc(status.shipped.windows);
  counter("read_bytes_total", "Bytes read from files").inc(status.shipped.bytesRead);
  gauge("outstanding_events", "Events not yet acknowledged and recorded").set(status.outstandingEvents);
  gauge("memory_bytes", "Bytes of events held").set(status.memoryBytes);
  gauge("open_files", "File descriptors of followed files").set(status.openFiles);
  gauge("unheld_files", "Files with unread lines that wait for a descriptor").set(status.unheldFiles.now);
  counter("unheld_files_total", "Files with unread lines that had to wait for a descriptor").inc(
    status.unheldFiles.total,
  );
  counter("lost_files_total", "Files deleted or truncated with lines unread, of which no copy was found").inc(
    status.lostFiles,
  );
  counter("missed_files_total", "Files that were gone before they could be opened").inc(status.missedFiles);
  gauge("registry_failing", "1 while the registry cannot be written").set(
    status.registry.failure === undefined ? 0 : 1,
  );
  gauge("ack_seconds", "Append to acknowledgement of the last window").set(status.ackSeconds.last);
  gauge("lag_bytes", "Bytes of all files that are not acknowledged").set(status.lag.bytes);
  gauge("lag_seconds", "Age of the oldest byte that is not acknowledged").set(status.lag.seconds);
  const lagBytes = gauge("file_lag_bytes", "Bytes of a file that are not acknowledged", ["source"]);
  const lagSeconds = gauge("file_lag_seconds", "Age of the oldest byte of a file that is not acknowledged", ["source"]);
  const oldest = new Map<string, number>();
  for (const { source, lagBytes: bytes, lagSeconds: seconds } of status.files) {
    // Several entries, or what was there before a rotation: the same name, and the worst of them counts.
    oldest.set(source, Math.max(oldest.get(source) ?? 0, seconds));
    lagBytes.inc({ source }, bytes);
  }
  for (const [source, seconds] of oldest) lagSeconds.set({ source }, seconds);
  const up = gauge("server_up", "1 while a connection to the server is ready", ["server"]);
  const failures = counter("server_failures_total", "Failures of a server", ["server"]);
  for (const server of status.servers as { server: string; state: string; failures: number }[]) {
    up.set({ server: server.server }, server.state === "ready" ? 1 : 0);
    failures.inc({ server: server.server }, server.failures);
  }
  return await registry.metrics();
}

const MOST_CONNECTIONS = 64;

/** Serves `/status` (JSON), `/metrics` (Prometheus) and `/health`, of one pipeline after the other. */
export class StatusServer {
  /** `host:port` as configured. */
  readonly address: string;
  readonly port: number;
  readonly #host: string;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  /** Whose status is shown. */
  shows: (() => Status) | undefined;

  constructor(address: string, log: Logger) {
    const at = address.lastIndexOf(":");
    this.address = address;
    this.port = Number(address.slice(at + 1));
    this.#host = address.slice(0, at).replace(/^\[|\]$/g, "");
    this.#log = log;
  }

  /** Begins; may be called again after `close`. Rejects with a UserError when the port cannot be had. */
  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    // Loaded only when it is wanted: it costs some 10 MB.
    const { createServer } = await import("node:http");
    const server = createServer(this.#handler());
    server.requestTimeout = 10_000;
    server.headersTimeout = 10_000;
    server.on("connection", (socket: Socket) => this.#makeRoom(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(
          new UserError(
            `cannot serve the status at ${this.address}: ${messageOf(error)}`,
            "give another 'address' in the section 'monitoring'",
          ),
        ),
      );
      server.listen(this.port, this.#host, resolve);
    });
    server.unref();
    this.#server = server;
  }

  /** At most so many connections; who never said anything goes first. */
  #makeRoom(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#sockets.size <= MOST_CONNECTIONS) return;
    const others = [...this.#sockets].filter((other) => other !== socket);
    (others.find(({ bytesRead }) => bytesRead === 0) ?? others[0])?.destroy();
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = undefined;
  }

  #handler(): HttpHandler {
    const origins = new Origins([]);
    const page = (answer: (status: Status) => Answer | Promise<Answer>): Route => ({
      methods: ["GET"],
      largestBody: LARGEST_BODY,
      handle: () => {
        const status = this.shows?.();
        return status === undefined ? text(503, "starting\n") : answer(status);
      },
    });
    const status = page((shown) =>
      text(200, `${JSON.stringify(shown, null, 2)}\n`, { "content-type": "application/json" }),
    );
    const metrics = page(async (shown) =>
      text(200, await metricsText(shown), { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
    );
    const health: Route = { methods: ["GET"], largestBody: LARGEST_BODY, handle: () => text(200, "ok\n") };
    const routes = new Map([
      ["/", status],
      ["/status", status],
      ["/metrics", metrics],
      ["/health", health],
    ]);
    return serving({
      log: this.#log,
      origins,
      routeOf: (path) => routes.get(path) ?? NOTHING,
      guards: [options(origins), allowedMethod((methods) => `only ${methods.join(" and ")}\n`)],
    });
  }
}

/** Nobody has to send anything here. */
const LARGEST_BODY = 64 * 1024;

const NOTHING: Route = {
  methods: "any",
  largestBody: LARGEST_BODY,
  handle: () => text(404, "there are /status, /metrics and /health\n"),
};
