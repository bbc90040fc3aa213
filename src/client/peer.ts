import type { Readable } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { Agent, type Dispatcher, request } from "undici";
import { ZodError } from "zod";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { httpWords } from "../base/http-words.ts";
import type { Credential } from "../mesos/credential.ts";

/** Masters that each say that another one leads. */
export const MOST_REDIRECTS = 5;
/** Milliseconds to connect, and until an answer begins. */
const CONNECT_TIMEOUT = 10_000;
const ANSWER_TIMEOUT = 30_000;
/** Characters of an answer's text that are shown. */
const LONGEST_TEXT = 500;

/** The header of HTTP basic authentication. */
export function basicHeader(credential: Credential | undefined): Record<string, string> {
  if (credential === undefined) return {};
  const { principal, secret } = credential;
  return { authorization: `Basic ${Buffer.from(`${principal}:${secret}`).toString("base64")}` };
}

/** `host:port` that a redirect names; undefined when it names none. */
export function redirectedTo(location: string | undefined): string | undefined {
  if (location === undefined) return undefined;
  const url = URL.parse(location, "http://none.invalid");
  return url === null || url.host === "none.invalid" ? undefined : url.host;
}

/** Key, certificate and authorities for a peer that speaks TLS, and how it is checked. */
export type PeerTls = SecureContextOptions & { readonly rejectUnauthorized?: boolean };

export interface PeerAddress {
  /** In messages. */
  readonly what: "agent" | "master";
  /** `host:port`. */
  readonly address: string;
  readonly credential: Credential | undefined;
  /** Absent: plain HTTP. */
  readonly tls?: PeerTls | undefined;
}

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/** How to name another one, for who has reached nothing. */
const OTHER = { agent: "--agent=host:port", master: "--master=host:port" } as const;

/** An answer that is none of those that were hoped for: who refuses what, and what to do. */
export class PeerRefusal extends UserError {
  readonly status: number;

  constructor({ what, credential }: PeerAddress, address: string, path: string, { status, body }: Reply) {
    const said = body.toString("utf8").trim().slice(0, LONGEST_TEXT);
    const who = `the ${what} at ${address}`;
    super(refusalText(who, path, status, said), refusalFix(what, status, credential?.principal, said));
    this.name = "PeerRefusal";
    this.status = status;
  }
}

function refusalText(who: string, path: string, status: number, said: string): string {
  const words = said === "" || said.startsWith("<") ? "" : `: ${said}`;
  if (status === 401) return `${who} wants to know who you are (401)${words}`;
  if (status === 403) return `${who} does not let you do that (403)${words}`;
  if (status === 503) return `${who} is not ready yet (503)${words}`;
  return `${who} answered ${path} with ${status}${words}`;
}

function refusalFix(what: string, status: number, principal: string | undefined, said: string): string | undefined {
  if (status === 401)
    return principal === undefined
      ? `give a file with your name and password: --credential=FILE, as the ${what}'s --http_credentials has them`
      : `'${principal}' and its secret are not in the ${what}'s --http_credentials: give another --credential`;
  // A switched-off feature tells its flag itself.
  if (status === 403 && !said.includes("--"))
    return `the rules of the ${what} (--acls) must allow it ${principal === undefined ? "without a name; give --credential=FILE" : `to '${principal}'`}`;
  if (status === 404)
    return `is it a Mesos ${what}? Name another with ${what === "agent" ? OTHER.agent : OTHER.master}`;
  if (status === 503) return "try again in a moment";
  return undefined;
}

/** The first thing that is not as it is to be. */
function whatDiffers(error: unknown): string {
  const [issue] = error instanceof ZodError ? error.issues : [];
  if (issue === undefined) return messageOf(error);
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}

/** Speaks HTTP with one agent or master; follows a master's word about who leads. */
export class HttpPeer {
  readonly #options: PeerAddress;
  readonly #dispatcher: Agent;
  #address: string;

  constructor(options: PeerAddress) {
    this.#options = options;
    this.#address = options.address;
    this.#dispatcher = new Agent({
      connect: { timeout: CONNECT_TIMEOUT, ...options.tls },
      headersTimeout: ANSWER_TIMEOUT,
    });
  }

  /** `host:port` of who answers, redirects followed. */
  get address(): string {
    return this.#address;
  }

  /** The refusal that an answer is. */
  refusal(path: string, reply: Reply): PeerRefusal {
    return new PeerRefusal(this.#options, this.#address, path, reply);
  }

  /** Whatever is answered. Throws a UserError when nothing is. */
  async get(path: string): Promise<Reply> {
    return await this.#whole(await this.#ask(path, { method: "GET" }));
  }

  /** A page's JSON. Throws a UserError for any other answer than 200. */
  async page(path: string): Promise<unknown> {
    const reply = await this.get(path);
    if (reply.status !== 200) throw this.refusal(path, reply);
    try {
      return JSON.parse(reply.body.toString("utf8"));
    } catch {
      throw new UserError(
        `${this.#address}${path} is no JSON`,
        `is it a Mesos ${this.#options.what}? Name another with ${OTHER[this.#options.what]}`,
      );
    }
  }

  /** What `read` makes of a page's JSON. Throws a UserError, too, when it is not what such a peer answers. */
  async read<Value>(path: string, read: (json: unknown) => Value): Promise<Value> {
    const json = await this.page(path);
    try {
      return read(json);
    } catch (error) {
      const { what } = this.#options;
      throw new UserError(
        `${this.#address}${path.replace(/\?.*/, "")} is not what a Mesos ${what} answers: ${whatDiffers(error)}`,
        `is it a Mesos ${what}? Name another with ${OTHER[what]}`,
        { cause: error },
      );
    }
  }

  /** A call of the operator API in JSON; whatever is answered. `isLong`: it may take as long as a task. */
  async call(call: object, isLong = false): Promise<Reply> {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const body = JSON.stringify(call);
    return await this.#whole(
      await this.#ask("/api/v1", { method: "POST", headers, body, ...(isLong && { headersTimeout: 0 }) }),
    );
  }

  /** A request whose body or answer is a stream; never redirected. Throws a UserError when nothing is answered. */
  async stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Buffer | Readable,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const isLong = !(body instanceof Buffer);
    return await this.#once(path, {
      ...{ method: "POST", headers, body, signal, bodyTimeout: 0 },
      ...(isLong && { headersTimeout: 0 }),
    });
  }

  async #whole(answer: Dispatcher.ResponseData): Promise<Reply> {
    try {
      return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
    } catch (error) {
      throw this.#silent(error);
    }
  }

  async #ask(path: string, options: Omit<Dispatcher.RequestOptions, "origin" | "path">) {
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once(path, options);
      const location = answer.headers["location"];
      const next = answer.statusCode === 307 ? redirectedTo(String(location)) : undefined;
      if (next === undefined || redirects >= MOST_REDIRECTS) return answer;
      await answer.body.dump();
      this.#address = next;
    }
  }

  async #once(path: string, options: Omit<Dispatcher.RequestOptions, "origin" | "path">) {
    const { credential, tls } = this.#options;
    const scheme = tls === undefined ? "http" : "https";
    try {
      return await request(`${scheme}://${this.#address}${path}`, {
        bodyTimeout: ANSWER_TIMEOUT,
        ...options,
        dispatcher: this.#dispatcher,
        headers: { ...(options.headers as Record<string, string> | undefined), ...basicHeader(credential) },
      });
    } catch (error) {
      throw this.#silent(error);
    }
  }

  /** Nobody answers, or the connection broke. */
  #silent(error: unknown): Error {
    if ((error as Error | undefined)?.name === "AbortError") return error as Error;
    const { what, tls } = this.#options;
    const code = codeOf(error) ?? "";
    if (/CERT|ISSUER|SIGNATURE/.test(code))
      return new UserError(
        // Node's own advice, behind a semicolon, is about Node.
        `the certificate of the ${what} at ${this.#address} is not trusted: ${messageOf(error).split(";")[0]}`,
        "name the authority that has signed it: LIBPROCESS_SSL_CA_FILE=FILE",
        { cause: error },
      );
    const words = code === "ECONNREFUSED" ? "connection refused" : httpWords(error);
    const isClosed = tls === undefined && /closed the connection/.test(words);
    return new UserError(
      `no ${what} answers at ${this.#address}: ${words}`,
      isClosed
        ? `does it speak TLS? Write https://${this.#address}, or set LIBPROCESS_SSL_ENABLED as it has it`
        : `is it running there? Name another with ${OTHER[what]}`,
      { cause: error },
    );
  }

  /** Ends every connection; what still waits for an answer is told that it will not come. */
  async close(): Promise<void> {
    await this.#dispatcher
      .destroy(new Error(`the ${this.#options.what} at ${this.#address} does not answer`))
      .catch((error: unknown) => messageOf(error));
  }
}
