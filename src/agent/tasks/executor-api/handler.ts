import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { BodyError, keepConnection, readBody, refuseBody } from "../../../libprocess/bodies.ts";
import type { AccessControl } from "../../authorization/access.ts";
import type { ExecutorAnswer, ExecutorEndpoint } from "./http-endpoint.ts";

/** Bytes of an executor's call; an update with its data, or everything unacknowledged of a thousand tasks, stays below. */
const LARGEST_CALL = 4 * 1024 * 1024;

/** `POST /api/v1/executor` as a handler of plain requests: its answer may never end, which the pages' server has no place for. */
export function executorHandler(
  endpoint: ExecutorEndpoint,
  access: AccessControl,
  log: Logger,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const handle = async (): Promise<void> => {
      const admitted = await access.admit("executor", request.headers.authorization, request.socket.remoteAddress);
      const body = await readBody(request, LARGEST_CALL);
      if ("refused" in admitted) return refuse(response, admitted.challenge);
      const made = endpoint.handle({ ...callOf(request, body), subject: admitted.subject });
      if ("stream" in made || made.isExecutors) keepConnection(request);
      answer(response, made);
    };
    handle().catch((error: unknown) => {
      if (error instanceof BodyError) return refuseBody(request, response, error);
      log.error(`Handling a call of an executor failed: ${messageOf(error)}`);
      if (!response.headersSent) response.statusCode = 500;
      response.end();
    });
  };
}

function refuse(response: ServerResponse, challenge: readonly string[] | undefined): void {
  if (challenge === undefined) response.writeHead(503);
  else response.writeHead(401, { "WWW-Authenticate": [...challenge] });
  response.end();
}

const callOf = (request: IncomingMessage, body: Buffer) => ({
  method: request.method ?? "",
  contentType: request.headers["content-type"],
  accept: request.headers.accept,
  peer: request.socket.remoteAddress,
  body,
});

function answer(response: ServerResponse, made: ExecutorAnswer): void {
  if (!("stream" in made)) {
    response.writeHead(made.status, {
      ...(made.allow && { Allow: made.allow }),
      "Content-Type": "text/plain; charset=utf-8",
    });
    response.end(made.body);
    return;
  }
  response.writeHead(200, { "Content-Type": made.contentType });
  response.flushHeaders();
  const broken = made.stream({ write: (record) => void response.write(record), end: () => response.end() });
  // Connections of this port may be half open. A subscriber that has closed its half is gone: what is written to it from then
  // on reaches nobody, while what waits is handed over when it comes back.
  response.socket?.once("end", () => response.destroy());
  response.on("close", broken);
  response.on("error", broken);
}
