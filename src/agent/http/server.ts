import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { LoggingLevel } from "../../base/logging-level.ts";
import { type Answer, text } from "../../http/answer.ts";
import { isCrossOrigin, mayBeCrossOrigin } from "../../http/browsers.ts";
import { Origins } from "../../http/origins.ts";
import { answerPace } from "../../http/paced-body.ts";
import { type HttpRequest, mediaTypeOf, RECORDIO } from "../../http/request.ts";
import {
  allowedMethod,
  type Guard,
  type HttpHandler,
  knownHost,
  options as optionsGuard,
  type Route,
  sameOrigin,
  scripts,
  serving,
} from "../../http/site.ts";
import { type AccessControl, openToAll } from "../authorization/access.ts";
import { Authorizer } from "../authorization/authorizer.ts";
import type { Refusals } from "../authorization/refusals.ts";
import { type Endpoint, type EndpointPath, endpoints } from "./endpoints.ts";
import { PageReaders } from "./page-readers.ts";
import { type PageParts, pages } from "./pages.ts";
import { type Permission, Permitting } from "./permission.ts";
import { defaultRate, type Rate, RateGate } from "./rate-gate.ts";
import { disabledEndpoints, locate, NOT_FOUND } from "./route.ts";

export interface AgentHttpOptions extends Omit<PageParts, "logging"> {
  readonly log: Logger;
  readonly clock: Clock;
  /** Who is asked for a name; nobody, unless given. */
  readonly access?: AccessControl;
  /** Who may do what; everybody everything, unless given. */
  readonly authorizer?: Authorizer;
  readonly refusals?: Refusals;
  /** The value of --firewall_rules. */
  readonly firewall?: readonly string[];
  /** Names under which the pages may be asked (see hostProblem); all, unless given. */
  readonly hosts?: readonly string[];
  /** For the pages whose rate is limited; undefined: Mesos' default, `none`: no limit. */
  readonly rate?: Rate | "none";
  /** The value of --http_cors_allowed_origins. */
  readonly origins?: Origins;
}

export interface AgentHttp {
  readonly handler: HttpHandler;
  close(): void;
}

/** A Call is small; one that names many images stays far below this. */
const LARGEST_BODY = 1_048_576;

/** What the node's own page (ui/) sends with each of its looks: it looks every few seconds as long as somebody has it open. */
const PAGE_HEADER = "x-mesos-page";

/** Answered under every name: balancers ask for it by names that nobody told us. */
const HEALTH: EndpointPath = "/slave(1)/health";

/** An endpoint's row with what answers it; no row: nothing is there. */
interface AgentRoute extends Route {
  readonly endpoint: Endpoint | undefined;
}

const nothing: AgentRoute = {
  endpoint: undefined,
  methods: "any",
  largestBody: LARGEST_BODY,
  handle: () => text(404, NOT_FOUND),
};

/** The agent's pages. Give `handler` to the libprocess port. */
export function createAgentHttp(options: AgentHttpOptions): AgentHttp {
  const logging = new LoggingLevel(options.view.log, options.clock);
  const log = options.log.named("http");
  const origins = options.origins ?? new Origins([]);
  const pagesSite = new AgentPages({ ...options, log, origins }, logging);
  return {
    handler: serving({ log, origins, routeOf: (path) => pagesSite.routeOf(path), guards: pagesSite.guards }),
    close: () => logging.close(),
  };
}

type Settled = AgentHttpOptions & { readonly origins: Origins };

/** The table of endpoints as routes, and what stands before them. */
class AgentPages {
  readonly guards: readonly Guard<AgentRoute>[];
  readonly #options: Settled;
  readonly #access: AccessControl;
  readonly #permitting: Permitting;
  /** What each request may do, from the guard that let it in to its handler. */
  readonly #permissions = new WeakMap<HttpRequest, Permission>();
  readonly #routes: ReadonlyMap<string, AgentRoute>;
  readonly #gates = new Map<string, RateGate>();
  readonly #pageReaders = new PageReaders();

  constructor(options: Settled, logging: LoggingLevel) {
    const { clock, origins, hosts = ["*"] } = options;
    this.#options = options;
    this.#access = options.access ?? openToAll;
    const { view, files, authorizer = new Authorizer(undefined), refusals } = options;
    this.#permitting = new Permitting({ view, files, access: this.#access, authorizer, refusals });
    const rate = options.rate === "none" ? undefined : (options.rate ?? defaultRate);
    const rows: readonly (Endpoint & { readonly path: EndpointPath })[] = endpoints;
    for (const { path, limited } of rows) if (limited) this.#gates.set(path, new RateGate(clock, rate));
    const parts: PageParts = { ...options, logging };
    this.#routes = new Map(rows.map((endpoint) => [endpoint.path, this.#route(endpoint, parts)]));
    this.guards = [
      knownHost(({ endpoint }) => (endpoint?.path === HEALTH ? ["*"] : hosts), "; --http_hosts says which others are"),
      this.#enabled(),
      (request, { endpoint }) => this.#noted(request, endpoint),
      optionsGuard(origins),
      (request, { endpoint }) => this.#admitted(request, endpoint),
      sameOrigin(
        origins,
        (_request, { endpoint }) => endpoint?.realm === "readwrite" || endpoint?.method === "POST",
        // Of a stream nobody knows what it will say.
        (request, { endpoint }) =>
          endpoint?.realm === "readwrite" &&
          (mediaTypeOf(request.header("content-type")) !== RECORDIO || this.#access.asks("readwrite")),
      ),
      scripts(origins),
      allowedMethod(
        (methods, { method }) => `Expecting one of { '${methods.join("', '")}' }, but received '${method}'\n`,
      ),
      (_request, { endpoint }) => this.#recovered(endpoint),
      (request, { endpoint }) => this.#forbidden(request, endpoint),
      async (_request, { endpoint }) => ((await this.#pass(endpoint?.path)) ? undefined : TOO_MANY),
    ];
  }

  routeOf(path: string): AgentRoute {
    return this.#routes.get(locate(path)?.endpoint.path ?? "") ?? nothing;
  }

  #route(endpoint: Endpoint & { readonly path: EndpointPath }, parts: PageParts): AgentRoute {
    const { method, takesPost = true, isPublic = false, largestBody = LARGEST_BODY } = endpoint;
    const page = pages[endpoint.path];
    return {
      ...{ endpoint, isPublic, largestBody },
      methods: method === "POST" ? ["POST"] : takesPost ? ["GET", "POST"] : ["GET"],
      handle: async (request) => {
        // What a page does at once is a piece of the same turns, too: ten that are asked for together have ten.
        if (!endpoint.isQuiet) await answerPace.take();
        const permission = this.#permissionOf(request);
        const { view, files } = permission;
        return await page(
          { ...parts, view, files },
          {
            request,
            query: (name) => request.query(name),
            rest: locate(request.path)?.rest ?? "",
            body: () => request.body(largestBody),
            mayChange: this.#mayChange(request, endpoint),
            permission,
            permissionIn: (realm) => this.#admit(realm, request),
            pass: (path) => this.#pass(path),
          },
        );
      },
    };
  }

  #admit(realm: Endpoint["realm"], { headers, peer }: HttpRequest): ReturnType<Permitting["admit"]> {
    return this.#permitting.admit(realm, headers.authorization, peer);
  }

  /** Who it is, where that is asked: 401 without an answer to it. */
  async #admitted(request: HttpRequest, endpoint: Endpoint | undefined): Promise<Answer | undefined> {
    const permission = await this.#admit(endpoint?.realm, request);
    if ("answer" in permission) return permission.answer;
    this.#permissions.set(request, permission);
    return undefined;
  }

  #permissionOf(request: HttpRequest): Permission {
    const permission = this.#permissions.get(request);
    if (permission === undefined) throw new Error("a request that nobody has let in");
    return permission;
  }

  /** 403 for a page that may not be seen at all. */
  #forbidden(request: HttpRequest, endpoint: Endpoint | undefined): Answer | undefined {
    if (endpoint === undefined) return undefined;
    const wanted = { path: endpoint.path.replace(/^\/slave\(1\)/, "") };
    const permission = this.#permissionOf(request);
    return endpoint.asks.map((ask) => permission.refusal(ask, wanted)).find((answer) => answer !== undefined);
  }

  #pass(path: string | undefined): Promise<boolean> {
    return this.#gates.get(path ?? "")?.pass() ?? Promise.resolve(true);
  }

  /** A page whose origin nobody named (`*`) changes only what a password was shown for. */
  #mayChange({ method, headers }: HttpRequest, { realm }: Endpoint): boolean {
    const allowed = this.#options.origins.allows(headers.origin);
    if (allowed === "named") return true;
    if (allowed === "all" && isCrossOrigin(headers)) return realm === "readwrite" && this.#access.asks("readwrite");
    return (method !== "GET" && method !== "HEAD") || !mayBeCrossOrigin(headers);
  }

  #enabled(): Guard<AgentRoute> {
    const { disabled, unknown } = disabledEndpoints(this.#options.firewall ?? []);
    for (const path of unknown) this.#options.log.warn(`--firewall_rules names '${path}', which is no endpoint`);
    return (_request, { endpoint }) =>
      endpoint !== undefined && disabled.has(endpoint.path)
        ? text(403, `Endpoint '${endpoint.path}' is disabled\n`)
        : undefined;
  }

  #recovered(endpoint: Endpoint | undefined) {
    const isAwaited = endpoint?.afterRecovery === true && this.#options.view.snapshot().phase === "RECOVERING";
    return isAwaited ? text(503, "Agent has not finished recovery\n") : undefined;
  }

  /** As Mesos logs what reaches the agent's own process; some come too often. */
  #noted({ method, headers, incoming }: HttpRequest, endpoint: Endpoint | undefined): undefined {
    if (endpoint?.process !== "slave(1)" || endpoint.isQuiet) return;
    const { remoteAddress, remotePort } = incoming.socket;
    const isPage = method === "GET" && headers[PAGE_HEADER] !== undefined;
    if (isPage && !this.#pageReaders.isNew(remoteAddress ?? "")) return;
    const agent = headers["user-agent"]?.slice(0, 200);
    const forwarded = String(headers["x-forwarded-for"] ?? "").slice(0, 200);
    const parts = [`HTTP ${method} for ${endpoint.path} from ${remoteAddress}:${remotePort}`];
    if (agent !== undefined) parts.push(`with User-Agent='${agent}'`);
    if (isPage) parts.push("(the node's page; its further looks are not logged)");
    if (forwarded !== "") parts.push(`with X-Forwarded-For='${forwarded}'`);
    this.#options.log.info(parts.join(" ").replaceAll(/[\r\n]/g, " "));
  }
}

const TOO_MANY = text(503, "Too many requests are waiting\n");
