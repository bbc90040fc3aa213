import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { BodyError, readBody } from "../../libprocess/bodies.ts";
import { hostProblem, isCrossOrigin, mayBeCrossOrigin } from "../../libprocess/browsers.ts";
import { type Access, authenticate, openToAll } from "./access.ts";
import { type Answer, NOT_FOUND, render, text } from "./answer.ts";
import { type Endpoint, type EndpointPath, endpoints } from "./endpoints.ts";
import type { AttachedFiles } from "./files/attached.ts";
import { LoggingLevel } from "./logging.ts";
import type { OperatorParts } from "./operator/calls.ts";
import { PageReaders } from "./page-readers.ts";
import { pages } from "./pages.ts";
import { queryOf } from "./query.ts";
import { defaultRate, type Rate, RateGate } from "./rate-gate.ts";
import { disabledEndpoints, fullPath, locate } from "./route.ts";
import type { AgentView } from "./view.ts";

/** As libprocess hands requests over. */
type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface AgentHttpOptions {
  readonly view: AgentView;
  readonly files: AttachedFiles;
  readonly log: Logger;
  readonly clock: Clock;
  readonly access?: Access;
  /** The value of --firewall_rules. */
  readonly firewall?: readonly string[];
  /** Names under which the pages may be asked (see hostProblem); all, unless given. */
  readonly hosts?: readonly string[];
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

/** What the node's own page (ui/) sends with each of its looks: it looks every few seconds as long as somebody has it open. */
const PAGE_HEADER = "x-mesos-page";

const CROSS_ORIGIN = "Another site's page may not do that here\n";

const REALMS = { readonly: "mesos-agent-readonly", readwrite: "mesos-agent-readwrite" } as const;

/** The agent's pages. Give `handler` to the libprocess port. */
export async function createAgentHttp(options: AgentHttpOptions): Promise<AgentHttp> {
  const { view, files, clock } = options;
  const logging = new LoggingLevel(view.log, clock);
  const log = options.log.named("http");
  const mounts = options.mounts ?? {};
  const { disabled, unknown } = disabledEndpoints(options.firewall ?? [], Object.keys(mounts));
  for (const path of unknown) log.warn(`--firewall_rules names '${path}', which is no endpoint`);
  const server = new Server({ ...options, log, disabled, parts: { view, files, logging } });
  const app = await server.build();
  return {
    handler: (request, response) =>
      dispatch({ app, mounts, disabled, hosts: options.hosts ?? ["*"] }, request, response),
    close: async () => {
      logging.close();
      await app.close();
    },
  };
}

interface Dispatch {
  readonly app: FastifyInstance;
  readonly mounts: Readonly<Record<string, HttpHandler>>;
  readonly disabled: ReadonlySet<string>;
  readonly hosts: readonly string[];
}

/** The mount that a path belongs to. */
function mountOf(mounts: Dispatch["mounts"], path: string): string | undefined {
  if (Object.hasOwn(mounts, path)) return path;
  return Object.keys(mounts).find((mount) => mount.endsWith("/") && `${path}/`.startsWith(mount));
}

function say(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(body);
}

/** Answered under every name: balancers ask for it by names that nobody told us. */
const HEALTH = "/slave(1)/health";

function dispatch(
  { app, mounts, disabled, hosts }: Dispatch,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = request.url ?? "/";
  const mark = url.search(/[?#]/);
  const pathname = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 || url[mark] === "#" ? "" : url.slice(mark);
  const path = fullPath(pathname);
  const wrong = path === HEALTH ? undefined : hostProblem(request.headers.host, hosts);
  if (wrong !== undefined) return say(response, 403, `${wrong}; --http_hosts says which others are\n`);
  const mount = path === undefined ? undefined : mountOf(mounts, path);
  if (mount !== undefined) {
    if (disabled.has(mount)) return say(response, 403, `Endpoint '${mount}' is disabled\n`);
    if (request.method !== "GET" && isCrossOrigin(request.headers)) return say(response, 403, CROSS_ORIGIN);
    mounts[mount]?.(request, response);
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
  readonly #pageReaders = new PageReaders();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#access = options.access ?? openToAll;
  }

  async build(): Promise<FastifyInstance> {
    const app = fastify({ logger: false, bodyLimit: LARGEST_BODY, exposeHeadRoutes: false });
    app.removeAllContentTypeParsers();
    // Read here, not by Fastify: bodies are counted with those of messages, and have their time.
    app.addContentTypeParser("*", (_request, payload, done) => {
      readBody(payload, LARGEST_BODY).then((body) => done(null, body), done);
    });
    const rate = this.#options.rate === "none" ? undefined : (this.#options.rate ?? defaultRate);
    for (const endpoint of endpoints as readonly (Endpoint & { path: EndpointPath })[]) {
      if (endpoint.limited) this.#gates.set(endpoint.path, new RateGate(this.#options.clock, rate));
      app.route({
        method: ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"],
        url: endpoint.path,
        handler: (request, reply) => this.#serve(endpoint, request, reply),
      });
    }
    app.setNotFoundHandler((_request, reply) => reply.code(404).type("text/plain; charset=utf-8").send(NOT_FOUND));
    app.setErrorHandler((error, request, reply) => {
      const status = error instanceof BodyError ? error.status : ((error as { statusCode?: number }).statusCode ?? 500);
      if (error instanceof BodyError) reply.header("connection", "close");
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
    const query = queryOf(request.raw.url ?? "");
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
    const unauthorized = realm && this.#unauthorized(realm, request);
    if (unauthorized !== undefined) return unauthorized;
    if (realm === "readwrite" && isCrossOrigin(request.headers)) return text(403, CROSS_ORIGIN);
    if (method === "POST" && request.method !== "POST")
      return text(405, `Expecting one of { 'POST' }, but received '${request.method}'\n`, { allow: "POST" });
    if (method === "GET" && (request.method === "PUT" || request.method === "DELETE") && path !== "/logging/toggle")
      return text(405, `Expecting 'GET', but received '${request.method}'\n`, { allow: "GET, HEAD, POST" });
    if (afterRecovery && this.#options.view.snapshot().phase === "RECOVERING")
      return text(503, "Agent has not finished recovery\n");
    return undefined;
  }

  #unauthorized(realm: keyof Access["realms"], { headers }: FastifyRequest): Answer | undefined {
    if (!this.#access.realms[realm] || authenticate(headers.authorization, this.#access.digests) !== undefined)
      return undefined;
    return text(401, "", { "www-authenticate": `Basic realm="${REALMS[realm]}"` });
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
    return pages[endpoint.path](this.#options.parts, {
      ...{ query, rest: located?.rest ?? "", header, body },
      mayChange: request.method !== "GET" && request.method !== "HEAD" ? true : !mayBeCrossOrigin(request.headers),
      unauthorized: (wanted) => this.#unauthorized(wanted, request),
      pass: (path) => this.#gates.get(path)?.pass() ?? Promise.resolve(true),
    });
  }

  /** As Mesos logs what reaches the agent's own process; health checks come too often. */
  #logRequest({ process, path }: Endpoint, request: FastifyRequest): void {
    if (process !== "slave(1)" || path === "/slave(1)/health") return;
    const { remoteAddress, remotePort } = request.raw.socket;
    const isPage = request.method === "GET" && request.headers[PAGE_HEADER] !== undefined;
    if (isPage && !this.#pageReaders.isNew(remoteAddress ?? "")) return;
    const agent = request.headers["user-agent"]?.slice(0, 200);
    const forwarded = String(request.headers["x-forwarded-for"] ?? "").slice(0, 200);
    const parts = [`HTTP ${request.method} for ${path} from ${remoteAddress}:${remotePort}`];
    if (agent !== undefined) parts.push(`with User-Agent='${agent}'`);
    if (isPage) parts.push("(the node's page; its further looks are not logged)");
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
