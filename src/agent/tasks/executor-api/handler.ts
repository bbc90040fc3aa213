import type { IncomingMessage, ServerResponse } from "node:http";
import { keepConnection, readBody, refuseBody } from "../../../libprocess/bodies.ts";
import type { ExecutorAnswer, ExecutorEndpoint } from "./http-endpoint.ts";

/** Bytes of an executor's call; an update with its data, or everything unacknowledged of a thousand tasks, stays below. */
const LARGEST_CALL = 4 * 1024 * 1024;

/** `POST /api/v1/executor` as a handler of plain requests: its answer may never end, which the pages' server has no place for. */
export function executorHandler(
  endpoint: ExecutorEndpoint,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    readBody(request, LARGEST_CALL).then(
      (body) => {
        const made = endpoint.handle(callOf(request, body));
        if ("stream" in made || made.isExecutors) keepConnection(request);
        answer(response, made);
      },
      (error: unknown) => refuseBody(request, response, error),
    );
  };
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
  response.on("close", broken);
  response.on("error", broken);
}
