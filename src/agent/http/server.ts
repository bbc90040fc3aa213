import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Access, authenticate, openToAll } from "./access.ts";
import { type Answer, render, text } from "./answer.ts";
import { type Endpoint, type EndpointPath, endpoints } from "./endpoints.ts";
import type { AttachedFiles } from "./files/attached.ts";
import { LoggingLevel } from "./logging.ts";
import type { OperatorParts } from "./operator/calls.ts";
import { pages } from "./pages.ts";
import { defaultRate, type Rate, RateGate } from "./rate-gate.ts";
import { disabledEndpoints, fullPath, locate } from "./route.ts";
import type { AgentView } from "./view.ts";

/** As libprocess hands requests over. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface AgentHttpOptions {
  readonly view: AgentView;
  readonly files: AttachedFiles;
  readonly log: Logger;
  readonly clock: Clock;
  readonly access?: Access;
  /** The value of --firewall_rules. */
  readonly firewall?: readonly string[];
  /** For the pages whose rate is limited; undefined: Mesos' default, `none`: no limit. */
  readonly rate?: Rate | "none";
  /**
   * Handlers of other rooms by full path (`/slave(1)/api/v1/executor`), exactly or, ending in `/`, as a prefix. They get
   * the request as it came and do everything themselves.
   */
  readonly mounts?: Readonly<Record<string, HttpHandler>>;
}

export interface AgentHttp {
  readonly handler: HttpHandler;
  close(): Promise<void>;
}

/** A Call is small; one that names many images stays far below this. */
const LARGEST_BODY = 1_048_576;
const inflate = promisify(gunzip);

const REALMS = { readonly: "mesos-agent-readonly", readwrite: "mesos-agent-readwrite" } as const;

/** The agent's pages. Give `handler` to the libprocess port. */
export async function createAgentHttp(options: AgentHttpOptions): Promise<AgentHttp> {
  const { view, files, clock } = options;
  const logging = new LoggingLevel(view.log, clock);
  const log = options.log.named("http");
  const { disabled, unknown } = disabledEndpoints(options.firewall ?? []);
  for (const path of unknown) log.warn(`--firewall_rules names '${path}', which is no endpoint`);
  const server = new Server({ ...options, log, disabled, parts: { view, files, logging } });
  const app = await server.build();
  return {
    handler: (request, response) => dispatch(app, options.mounts ?? {}, request, response),
    close: async () => {
      logging.close();
      await app.close();
    },
  };
}

function mounted(mounts: Readonly<Record<string, HttpHandler>>, path: string): HttpHandler | undefined {
  if (Object.hasOwn(mounts, path)) return mounts[path];
  const prefix = Object.keys(mounts).find((mount) => mount.endsWith("/") && `${path}/`.startsWith(mount));
  return prefix === undefined ? undefined : mounts[prefix];
}

function dispatch(
  app: FastifyInstance,
  mounts: Readonly<Record<string, HttpHandler>>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = request.url ?? "/";
  const mark = url.search(/[?#]/);
  const pathname = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 || url[mark] === "#" ? "" : url.slice(mark);
  const path = fullPath(pathname);
  const other = path === undefined ? undefined : mounted(mounts, path);
  if (other !== undefined) {
    other(request, response);
    return;
  }
  // Fastify sees one spelling of each endpoint; `rest` travels beside it.
  const located = locate(pathname);
  request.url = located === undefined ? "/.nothing" : located.endpoint.path + query;
  Object.assign(request, { located });
  app.routing(request, response);
}

interface ServerOptions extends AgentHttpOptions {
  readonly disabled: ReadonlySet<string>;
  readonly parts: OperatorParts;
}

class Server {
  readonly #options: ServerOptions;
  readonly #access: Access;
  readonly #gates = new Map<string, RateGate>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#access = options.access ?? openToAll;
  }

  async build(): Promise<FastifyInstance> {
    const app = fastify({ logger: false, bodyLimit: LARGEST_BODY, exposeHeadRoutes: false });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    const rate = this.#options.rate === "none" ? undefined : (this.#options.rate ?? defaultRate);
    for (const endpoint of endpoints as readonly (Endpoint & { path: EndpointPath })[]) {
      if (endpoint.limited) this.#gates.set(endpoint.path, new RateGate(this.#options.clock, rate));
      app.route({
        method: ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
        url: endpoint.path,
        handler: (request, reply) => this.#serve(endpoint, request, reply),
      });
    }
    app.setNotFoundHandler((_request, reply) => reply.code(404).send());
    app.setErrorHandler((error, request, reply) => {
      const status = (error as { statusCode?: number }).statusCode ?? 500;
      if (status >= 500) this.#options.log.error(`${request.method} ${request.url} failed: ${messageOf(error)}`);
      return reply
        .code(status)
        .type("text/plain; charset=utf-8")
        .send(`${messageOf(error)}\n`);
    });
    await app.ready();
    return app;
  }

  async #serve(
    endpoint: Endpoint & { path: EndpointPath },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    this.#logRequest(endpoint, request);
    if (request.method === "OPTIONS") {
      const methods = endpoint.method === "POST" ? "POST" : "GET, HEAD, POST";
      return reply.code(204).header("allow", methods).send();
    }
    const url = new URLSearchParams(request.raw.url?.split("?", 2)[1] ?? "");
    const query = (name: string): string | undefined => url.get(name) ?? undefined;
    const answer = await this.#answer(endpoint, request, query);
    const rendered = await render(answer, {
      jsonp: query("jsonp"),
      acceptEncoding: request.headers["accept-encoding"],
      shared: endpoint.realm !== "readwrite",
    });
    reply.code(rendered.status).headers(rendered.headers);
    if (request.method !== "HEAD") return reply.send(rendered.body);
    if (Buffer.isBuffer(rendered.body)) reply.header("content-length", String(rendered.body.length));
    else rendered.body.destroy();
    return reply.send();
  }

  #refusal({ path, realm, method, afterRecovery }: Endpoint, request: FastifyRequest): Answer | undefined {
    if (this.#options.disabled.has(path)) return text(403, `Endpoint '${path}' is disabled\n`);
    if (realm !== undefined && this.#access.realms[realm]) {
      if (authenticate(request.headers.authorization, this.#access.digests) === undefined)
        return text(401, "", { "www-authenticate": `Basic realm="${REALMS[realm]}"` });
    }
    if (method === "POST" && request.method !== "POST")
      return text(405, `Expecting one of { 'POST' }, but received '${request.method}'\n`, { allow: "POST" });
    if (method === "GET" && (request.method === "PUT" || request.method === "DELETE") && path !== "/logging/toggle")
      return text(405, `Expecting 'GET', but received '${request.method}'\n`, { allow: "GET, HEAD, POST" });
    if (afterRecovery && this.#options.view.snapshot().phase === "RECOVERING")
      return text(503, "Agent has not finished recovery\n");
    return undefined;
  }

  async #answer(
    endpoint: Endpoint & { path: EndpointPath },
    request: FastifyRequest,
    query: (name: string) => string | undefined,
  ): Promise<Answer> {
    const refusal = this.#refusal(endpoint, request);
    if (refusal !== undefined) return refusal;
    const gate = this.#gates.get(endpoint.path);
    if (gate !== undefined && !(await gate.pass())) return text(503, "Too many requests are waiting\n");
    const body = await bodyOf(request);
    if (body === undefined) return text(400, "The body cannot be decompressed, or is too large\n");
    const { located } = request.raw as { located?: { rest: string } };
    const header = (name: string): string | undefined => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    };
    return pages[endpoint.path](this.#options.parts, { query, rest: located?.rest ?? "", header, body });
  }

  /** As Mesos logs what reaches the agent's own process; health checks come too often. */
  #logRequest({ process, path }: Endpoint, request: FastifyRequest): void {
    if (process !== "slave(1)" || path === "/slave(1)/health") return;
    const { remoteAddress, remotePort } = request.raw.socket;
    const agent = request.headers["user-agent"]?.slice(0, 200);
    const forwarded = String(request.headers["x-forwarded-for"] ?? "").slice(0, 200);
    const parts = [`HTTP ${request.method} for ${path} from ${remoteAddress}:${remotePort}`];
    if (agent !== undefined) parts.push(`with User-Agent='${agent}'`);
    if (forwarded !== "") parts.push(`with X-Forwarded-For='${forwarded}'`);
    this.#options.log.info(parts.join(" ").replaceAll(/[\r\n]/g, " "));
  }
}

/** The body, decompressed; undefined when that cannot be done within the bound. */
async function bodyOf(request: FastifyRequest): Promise<Buffer | undefined> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (request.headers["content-encoding"]?.trim().toLowerCase() !== "gzip" || body.length === 0) return body;
  try {
    return await inflate(body, { maxOutputLength: LARGEST_BODY });
  } catch {
    return undefined;
  }
}
