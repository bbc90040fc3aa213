import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Answer, send, text } from "./answer.ts";
import { BodyError } from "./bodies.ts";
import { hostProblem, isCrossOrigin } from "./browsers.ts";
import type { Origins } from "./origins.ts";
import { HttpRequest } from "./request.ts";

/** As a server hands requests over. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** HEAD goes with GET, and OPTIONS with everything. */
export type Method = "GET" | "POST";

/** What answers the requests of a path. */
export interface Route {
  /** "any": nothing is there, and every method is told so. */
  readonly methods: readonly Method[] | "any";
  /** Bytes that a body may have. */
  readonly largestBody: number;
  /** Pages of all origins may read it, as long as nobody has said which may: it tells no secret. */
  readonly isPublic?: boolean;
  handle(request: HttpRequest): Answer | Promise<Answer>;
}

/** Looks at a request before it is handled: an answer ends it. */
export type Guard<R extends Route> = (
  request: HttpRequest,
  route: R,
) => Answer | undefined | Promise<Answer | undefined>;

/** Everything that one port shows and takes. */
export interface Site<R extends Route> {
  readonly log: Logger;
  readonly origins: Origins;
  /** The route of a path; where there is none, one that says so. */
  readonly routeOf: (path: string) => R;
  /** In this order: reading it is reading what stands before a handler. */
  readonly guards: readonly Guard<R>[];
}

/** Methods in the words of an `Allow` header. */
const allowed = ({ methods }: Route): string[] =>
  methods === "any" ? [] : methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));

/** A browser that was led here under a foreign name (DNS rebinding). `ownNames` of a route: see hostProblem. */
export const knownHost =
  <R extends Route>(ownNames: (route: R) => readonly string[], hint = ""): Guard<R> =>
  ({ host }, route) => {
    const problem = hostProblem(host, ownNames(route));
    return problem === undefined ? undefined : text(403, `${problem}${hint}\n`);
  };

/** OPTIONS is answered for every route, and runs none; so are browsers that ask before they send what a page wants. */
export const options =
  <R extends Route>(origins: Origins): Guard<R> =>
  ({ method, path, headers }, route) => {
    // Of the whole server: it is there.
    if (method === "OPTIONS" && path === "*") return text(204, "", { allow: "GET, HEAD, POST, OPTIONS" });
    if (method !== "OPTIONS" || route.methods === "any") return undefined;
    const preflight = origins.preflight(headers);
    if (preflight !== undefined) return text(200, "", preflight);
    return text(204, "", { allow: [...allowed(route), "OPTIONS"].join(", ") });
  };

/** What another site's page is told that tries to change something. */
export const CROSS_ORIGIN = "Another site's page may not do that here\n";

/** Another site's page may not do what `isGuarded` says, unless its origin may ask. */
export const sameOrigin =
  <R extends Route>(
    origins: Origins,
    isGuarded: (request: HttpRequest, route: R) => boolean,
    /** Routes that take origins which nobody named, because all may ask: they see for themselves to it that those change nothing. */
    decides: (request: HttpRequest, route: R) => boolean = () => false,
  ): Guard<R> =>
  (request, route) => {
    if (!isGuarded(request, route) || !isCrossOrigin(request.headers)) return undefined;
    const how = origins.allows(request.headers.origin);
    if (how === "named" || (how === "all" && decides(request, route))) return undefined;
    return text(403, CROSS_ORIGIN);
  };

/** JSON that is loaded as a script: only for pages whose origin may ask. */
export const scripts =
  <R extends Route>(origins: Origins): Guard<R> =>
  (request) =>
    request.jsonp === undefined || origins.allowsScript(request.headers)
      ? undefined
      : text(403, "Another site's page may not read that here\n");

/** 405 with `Allow`, in the words of the site. */
export const allowedMethod =
  <R extends Route>(words: (allowed: readonly string[], request: HttpRequest) => string): Guard<R> =>
  (request, route) => {
    const methods = allowed(route);
    if (route.methods === "any" || methods.includes(request.method)) return undefined;
    return text(405, words(methods, request), { allow: methods.join(", ") });
  };

const MEBIBYTE = 1024 ** 2;

function refusedBody({ status, message }: BodyError, most: number): Answer {
  const words = status === 413 ? `The body is larger than ${most / MEBIBYTE} MB` : `The body was not taken: ${message}`;
  return text(status, `${words}\n`);
}

async function answerOf<R extends Route>(site: Site<R>, request: HttpRequest, route: R): Promise<Answer> {
  for (const guard of site.guards) {
    const answer = await guard(request, route);
    if (answer !== undefined) return answer;
  }
  return await route.handle(request);
}

/**
 * The answer to a request, whatever happens. What nobody has read of its body is read before the answer goes out: a client that
 * still sends would miss an answer behind which the connection breaks.
 */
async function settled<R extends Route>(site: Site<R>, request: HttpRequest, route: R): Promise<Answer> {
  let answer: Answer | undefined;
  try {
    answer = await answerOf(site, request, route);
    if (answer.kind !== "open" && !request.isStreamed) await request.body(route.largestBody);
    return answer;
  } catch (error) {
    // Who is refused is told why, whatever is wrong with the body.
    if (error instanceof BodyError && answer?.kind === "text" && answer.status >= 400) return answer;
    discard(answer);
    if (error instanceof BodyError) return refusedBody(error, route.largestBody);
    site.log.error(`${request.method} ${request.path} failed: ${messageOf(error)}`);
    return text(500, "Something broke here: the log says what\n");
  }
}

/** Answers requests as a site says. */
export function serving<R extends Route>(site: Site<R>): HttpHandler {
  const reply = async (request: HttpRequest, response: ServerResponse): Promise<void> => {
    const route = site.routeOf(request.path);
    const { method, headers, incoming } = request;
    const answer = await settled(site, request, route);
    // Of a half open connection, too: who wants a stream and has closed its half is gone (answer.ts).
    if (response.destroyed || (answer.kind === "open" && incoming.socket.readableEnded)) {
      response.destroy();
      return discard(answer);
    }
    // What is still to come of the body would be taken for the next request.
    const isLast = answer.kind !== "open" && !incoming.complete;
    if (isLast) response.once("finish", () => incoming.socket.destroy());
    await send(response, answer, {
      ...{ method, headers, jsonp: request.jsonp },
      common: (vary) => ({
        ...site.origins.headers(headers, route.isPublic === true, vary),
        ...(isLast && { connection: "close" }),
      }),
    });
  };
  return (incoming, response) => {
    const request = new HttpRequest(incoming);
    reply(request, response).catch((error: unknown) => {
      site.log.error(`Answering ${request.method} ${request.path} failed: ${messageOf(error)}`);
      response.destroy();
    });
  };
}

/** Nobody is there for the answer any more. */
function discard(answer: Answer | undefined): void {
  if (answer?.kind === "stream") answer.stream.destroy();
  if (answer?.kind === "open") answer.discarded?.();
}
