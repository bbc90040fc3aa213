import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { acceptsGzip } from "../../libprocess/accept.ts";

/** What a page answers, before the wrapping that is the same for all. */
export type Answer =
  /** Text that is JSON; bytes when the text holds bytes that are no UTF-8. */
  | { readonly kind: "json"; readonly text: string | Buffer }
  | {
      readonly kind: "text";
      readonly status: number;
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "body"; readonly type: string; readonly body: Buffer }
  | {
      readonly kind: "stream";
      readonly type: string;
      readonly length: number;
      readonly disposition: string;
      readonly stream: Readable;
    };

/** Mesos' words. */
export const NOT_FOUND = "404 Not Found.";

export const json = (text: string | Buffer): Answer => ({ kind: "json", text });
export const text = (status: number, body: string, headers?: Readonly<Record<string, string>>): Answer => ({
  kind: "text",
  status,
  text: body,
  ...(headers === undefined ? {} : { headers }),
});

export interface Rendered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | Readable;
}

/** A JavaScript name with members, as Angular (`angular.callbacks._0`) and jQuery make them: nothing that could be code. */
const CALLBACK = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[\d+\])*$/;
const LONGEST_CALLBACK = 128;

const gzipped = promisify(gzip);
/** libprocess compresses from this size on. */
const SMALLEST_GZIP = 1024;

function jsonBody(content: string | Buffer, callback: string | undefined): Rendered {
  const body = typeof content === "string" ? Buffer.from(content) : content;
  if (callback === undefined) return { status: 200, headers: { "content-type": "application/json" }, body };
  if (callback.length > LONGEST_CALLBACK || !CALLBACK.test(callback)) {
    const problem = "The jsonp parameter is not the name of a JavaScript function.\n";
    return { status: 400, headers: { "content-type": "text/plain; charset=utf-8" }, body: Buffer.from(problem) };
  }
  return {
    status: 200,
    headers: { "content-type": "text/javascript" },
    body: Buffer.concat([Buffer.from(`${callback}(`), body, Buffer.from(");")]),
  };
}

function bare(answer: Answer, callback: string | undefined): Rendered {
  switch (answer.kind) {
    case "json":
      return jsonBody(answer.text, callback);
    case "text":
      return {
        status: answer.status,
        headers: { "content-type": "text/plain; charset=utf-8", ...answer.headers },
        body: Buffer.from(answer.text),
      };
    case "body":
      return { status: 200, headers: { "content-type": answer.type }, body: answer.body };
    case "stream":
      return {
        status: 200,
        headers: {
          "content-type": answer.type,
          "content-length": String(answer.length),
          "content-disposition": answer.disposition,
        },
        body: answer.stream,
      };
  }
}

/**
 * The response: JSONP when asked for, gzip from 1024 bytes on when accepted. `shared` lets the master's web page read it
 * from another origin; a page that may be read by JSONP hides nothing by refusing that.
 */
export async function render(
  answer: Answer,
  asked: { readonly jsonp: string | undefined; readonly acceptEncoding: string | undefined; readonly shared: boolean },
): Promise<Rendered> {
  const { status, headers, body } = bare(answer, asked.jsonp);
  const common = {
    ...headers,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    ...(asked.shared ? { "access-control-allow-origin": "*" } : {}),
  };
  if (!Buffer.isBuffer(body)) return { status, headers: common, body };
  if (body.length < SMALLEST_GZIP || !acceptsGzip(asked.acceptEncoding)) return { status, headers: common, body };
  const small = await gzipped(body);
  return { status, headers: { ...common, "content-encoding": "gzip", vary: "Accept-Encoding" }, body: small };
}
