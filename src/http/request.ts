import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { BodyError, readBody } from "./bodies.ts";
import { type Query, queryOf } from "./query.ts";

const inflate = promisify(gunzip);

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** The media type of a `Content-Type` header, without its parameters. */
export const mediaTypeOf = (header: string | undefined): string | undefined =>
  header?.split(";")[0]?.trim().toLowerCase();

/** The media type of a stream of records. */
export const RECORDIO = "application/recordio";

/** A target with scheme and authority, as clients write it to a proxy and servers must take it (RFC 9112, 3.2.2). */
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/is;

/** A request as those see it who answer it. */
export class HttpRequest {
  /** As it came. */
  readonly incoming: IncomingMessage;
  readonly method: string;
  /** As it was asked for, without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Under which name it was asked for: that of an absolute address, else the header `Host`. */
  readonly host: string | undefined;
  #query: Query | undefined;
  #body: Promise<Buffer> | undefined;
  #isStreamed = false;

  constructor(incoming: IncomingMessage) {
    const [, authority, url = "/"] = ABSOLUTE.exec(incoming.url ?? "/") ?? [undefined, undefined, incoming.url];
    const mark = url.search(/[?#]/);
    this.incoming = incoming;
    this.method = incoming.method ?? "GET";
    this.path = (mark < 0 ? url : url.slice(0, mark)) || "/";
    this.headers = incoming.headers;
    this.host = authority ?? incoming.headers.host;
  }

  /** The address that it comes from. */
  get peer(): string | undefined {
    return this.incoming.socket.remoteAddress;
  }

  /** A parameter of the query. */
  query(name: string): string | undefined {
    this.#query ??= queryOf(this.incoming.url ?? "");
    return this.#query(name);
  }

  /**
   * The callback that JSON is to be a script for. A `;` separates parameters, but behind a callback it may have been meant as
   * code: what it cuts off is refused with it, not forgotten.
   */
  get jsonp(): string | undefined {
    const name = this.query("jsonp");
    return name !== undefined && /[?&]jsonp=[^&#]*;/.test(this.incoming.url ?? "") ? `${name};` : name;
  }

  /** A header; several of one name as one list. */
  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** The whole body, decompressed, of at most `most` bytes. Rejects with a BodyError. It is read once, whoever asks again. */
  body(most: number): Promise<Buffer> {
    this.#body ??= hasBody(this.incoming) ? this.#read(most) : Promise.resolve(Buffer.alloc(0));
    return this.#body;
  }

  /** Whether nobody can wait for the body's end: somebody reads it as it comes, or it is records for as long as its sender likes. */
  get isStreamed(): boolean {
    return this.#isStreamed || mediaTypeOf(this.header("content-type")) === RECORDIO;
  }

  /** The body as it comes, for a handler whose answer does not wait for its end. Nobody else reads it then. */
  stream(): IncomingMessage {
    this.#isStreamed = true;
    return this.incoming;
  }

  async #read(most: number): Promise<Buffer> {
    const body = await readBody(this.incoming, most);
    const encoding = this.headers["content-encoding"]?.trim().toLowerCase() ?? "";
    if (encoding === "" || encoding === "identity" || body.length === 0) return body;
    if (encoding !== "gzip" && encoding !== "x-gzip")
      throw new BodyError(415, `Content-Encoding '${encoding}' is not taken; gzip is`);
    try {
      return await inflate(body, { maxOutputLength: most });
    } catch {
      throw new BodyError(400, "it cannot be decompressed, or is too large");
    }
  }
}
