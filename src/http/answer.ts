import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { acceptsGzip } from "./accept.ts";
import { varying } from "./origins.ts";

type Headers = Readonly<Record<string, string>>;

/** What is answered, before the wrapping that is the same for all. */
export type Answer =
  /** Text that is JSON; bytes when the text holds bytes that are no UTF-8. */
  | { readonly kind: "json"; readonly text: string | Buffer }
  | { readonly kind: "text"; readonly status: number; readonly text: string; readonly headers?: Headers }
  | {
      readonly kind: "body";
      readonly type: string;
      readonly body: Buffer;
      readonly status?: number;
      readonly headers?: Headers;
      /** The body in gzip, where somebody has it already. */
      readonly compressed?: Buffer;
    }
  | {
      readonly kind: "stream";
      readonly type: string;
      readonly length: number;
      readonly disposition: string;
      readonly stream: Readable;
    }
  /** An answer without an end: its head is sent, then `opened` writes to it for as long as it lasts. */
  | {
      readonly kind: "open";
      readonly type: string;
      readonly headers?: Headers;
      readonly opened: (response: ServerResponse) => void;
      /** Ends what it would have shown, when whoever asked has gone before it could be opened. */
      readonly discarded?: () => void;
    };

export const json = (text: string | Buffer): Answer => ({ kind: "json", text });
export const text = (status: number, body: string, headers?: Headers): Answer => ({
  kind: "text",
  status,
  text: body,
  ...(headers === undefined ? {} : { headers }),
});

/** A JavaScript name with members, as Angular (`angular.callbacks._0`) and jQuery make them: nothing that could be code. */
const CALLBACK = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[\d+\])*$/;
const LONGEST_CALLBACK = 128;

const packedBy = promisify(gzip);
/** What is made for one answer is packed quickly: a megabyte of JSON takes a third of the time that level 6 takes, and an eighth more bytes. */
const gzipped = (body: Buffer): Promise<Buffer> => packedBy(body, { level: 1 });
/** libprocess compresses from this size on. */
const SMALLEST_GZIP = 1024;

const PLAIN_TEXT = "text/plain; charset=utf-8";

interface Rendered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer | Readable | ((response: ServerResponse) => void);
  readonly compressed?: Buffer;
}

function jsonBody(content: string | Buffer, callback: string | undefined): Rendered {
  const body = typeof content === "string" ? Buffer.from(content) : content;
  if (callback === undefined) return { status: 200, headers: { "content-type": "application/json" }, body };
  if (callback.length > LONGEST_CALLBACK || !CALLBACK.test(callback)) {
    const problem = "The jsonp parameter is not the name of a JavaScript function.\n";
    return { status: 400, headers: { "content-type": PLAIN_TEXT }, body: Buffer.from(problem) };
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
        headers: { "content-type": PLAIN_TEXT, ...answer.headers },
        body: Buffer.from(answer.text),
      };
    case "body":
      return {
        status: answer.status ?? 200,
        headers: { "content-type": answer.type, ...answer.headers },
        body: answer.body,
        ...(answer.compressed && { compressed: answer.compressed }),
      };
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
    case "open":
      return { status: 200, headers: { "content-type": answer.type, ...answer.headers }, body: answer.opened };
  }
}

/** The response of fixed length: gzip from 1024 bytes on when that is accepted. */
async function packed(
  { headers, body, compressed }: Rendered & { readonly body: Buffer },
  acceptEncoding: string | undefined,
): Promise<{ readonly headers: Headers; readonly body: Buffer }> {
  if (body.length < SMALLEST_GZIP && compressed === undefined) return { headers, body };
  const varied = { ...headers, vary: varying(headers["vary"], "Accept-Encoding") };
  if (!acceptsGzip(acceptEncoding)) return { headers: varied, body };
  return { headers: { ...varied, "content-encoding": "gzip" }, body: compressed ?? (await gzipped(body)) };
}

export interface Wrapping {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly jsonp: string | undefined;
  /** Headers that every answer to this request gets, such as those for other origins. */
  readonly common: (vary: string | undefined) => Headers;
}

/** Nothing of what is answered is kept by anybody, or taken for something else, unless it says otherwise. */
const DEFAULTS: Headers = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

/** Writes an answer: JSONP when asked for, compressed when accepted, for HEAD everything but the body. */
export async function send(response: ServerResponse, answer: Answer, wrapping: Wrapping): Promise<void> {
  const rendered = bare(answer, wrapping.jsonp);
  const { status, body } = rendered;
  const head = (headers: Headers, length?: number): void => {
    const all = { ...DEFAULTS, ...headers };
    const fixed = length === undefined || NO_BODY.has(status) ? {} : { "content-length": String(length) };
    response.writeHead(status, { ...all, ...wrapping.common(all["vary"]), ...fixed });
  };
  if (Buffer.isBuffer(body)) {
    const made = await packed({ ...rendered, body }, wrapping.headers["accept-encoding"]?.toString());
    head(made.headers, made.body.length);
    response.end(wrapping.method === "HEAD" || NO_BODY.has(status) ? undefined : made.body);
  } else if (typeof body === "function") {
    head(rendered.headers);
    response.flushHeaders();
    // Connections of a libprocess port may be half open. A reader that has closed its half is gone: what is written to it from
    // then on reaches nobody.
    response.socket?.once("end", () => response.destroy());
    body(response);
  } else if (wrapping.method === "HEAD") {
    body.destroy();
    head(rendered.headers);
    response.end();
  } else {
    head(rendered.headers);
    pipeline(body, response, () => undefined);
  }
}

/** Statuses whose answers have no body, and say no length. */
const NO_BODY = new Set([204, 304]);
