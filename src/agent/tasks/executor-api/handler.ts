import type { ServerResponse } from "node:http";
import { type Answer, text } from "../../../http/answer.ts";
import { keepConnection } from "../../../http/bodies.ts";
import type { HttpRequest } from "../../../http/request.ts";
import type { Subject } from "../../authorization/subject.ts";
import type { ExecutorAnswer, ExecutorEndpoint } from "./http-endpoint.ts";

export type ExecutorCalls = Pick<ExecutorEndpoint, "handle">;

/** `POST /api/v1/executor` as an endpoint among the others; events go into an answer that stays open. */
export function executorCall(executors: ExecutorCalls, request: HttpRequest, subject: Subject, body: Buffer): Answer {
  const made = executors.handle({
    contentType: request.header("content-type"),
    accept: request.header("accept"),
    peer: request.peer,
    subject,
    body,
  });
  if ("stream" in made || made.isExecutors) keepConnection(request.incoming);
  if (!("stream" in made)) return text(made.status, made.body);
  return { kind: "open", type: made.contentType, opened: (response) => stream(made, response) };
}

function stream({ stream }: Extract<ExecutorAnswer, { readonly stream: unknown }>, response: ServerResponse): void {
  const broken = stream({ write: (record) => void response.write(record), end: () => response.end() });
  response.on("close", broken);
  response.on("error", broken);
}
