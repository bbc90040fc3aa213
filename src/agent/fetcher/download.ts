import { createWriteStream } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from "undici";
import { httpWords } from "../../base/http-words.ts";

export interface DownloadOptions {
  readonly dispatcher: Dispatcher;
  /** Permissions of the file; default 0644. */
  readonly mode?: number;
  /** Milliseconds without a byte after which the download fails; 0 never. */
  readonly stallTimeout: number;
  /** Bytes at which it is given up, whatever the server announced; default: none but what the disk has. */
  readonly most?: number;
  /** Told of the bytes so far, of how many if the server says so; often. */
  readonly progress?: ((bytes: number, totalBytes: number | undefined) => void) | undefined;
}

const MOST_REDIRECTS = 10;
const CONNECT_TIMEOUT = 30_000;
/** How much of an error page goes into the message. */
const LONGEST_WORDS = 200;
/** Space on the disk that a download leaves free. */
const RESERVE = 16 * 1024 * 1024;

/**
 * Connections of the fetcher: redirects are followed, at most six connections a server, and `http_proxy`,
 * `https_proxy` and `no_proxy` of the environment hold, as for curl.
 */
export function fetchDispatcher(environment: Readonly<Record<string, string>>): Dispatcher {
  const proxy = (name: string): string => environment[name] ?? environment[name.toUpperCase()] ?? "";
  const agent = new EnvHttpProxyAgent({
    connections: 6,
    connect: { timeout: CONNECT_TIMEOUT },
    // HTTP_PROXY in capitals is nobody's setting, but what a web server makes of a header: curl does not read it.
    httpProxy: environment["http_proxy"] ?? "",
    httpsProxy: proxy("https_proxy"),
    noProxy: proxy("no_proxy"),
  });
  return agent.compose(interceptors.redirect({ maxRedirections: MOST_REDIRECTS }));
}

/** Bytes of a part of a URL: what only looks like an escape (`50%off`) stays as it is, as with curl. */
const bytesOf = (part: string): Buffer =>
  Buffer.from(
    part.replaceAll(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );

/** User and password of the URL become a header, which is how curl treats them. Throws an Error for what is no URL. */
function requestOf(url: string): { url: string; headers: Record<string, string> } {
  const parsed = URL.parse(url);
  if (parsed === null) throw new Error("it is not a URL: look at its host and port");
  const headers: Record<string, string> = { accept: "*/*", "user-agent": "mesos-slave" };
  if (parsed.username !== "" || parsed.password !== "") {
    const pair = Buffer.concat([bytesOf(parsed.username), Buffer.from(":"), bytesOf(parsed.password)]);
    headers["authorization"] = `Basic ${pair.toString("base64")}`;
    parsed.username = "";
    parsed.password = "";
  }
  return { url: parsed.href, headers };
}

async function wordsOf(body: Readable): Promise<string> {
  let text = "";
  for await (const chunk of body.setEncoding("utf8") as AsyncIterable<string>) {
    text += chunk;
    if (text.length > LONGEST_WORDS * 4) break;
  }
  const plain = text
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return plain === "" ? "" : `: ${plain.slice(0, LONGEST_WORDS)}`;
}

const lengthOf = (headers: Readonly<Record<string, unknown>>): number | undefined => {
  const text = headers["content-length"];
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
};

/** Bytes that the server announces for HEAD; undefined when it does not say. Rejects with an Error. */
export async function announcedSize(url: string, options: DownloadOptions): Promise<number | undefined> {
  const { dispatcher, stallTimeout } = options;
  const { url: target, headers } = requestOf(url);
  const timeouts = { headersTimeout: stallTimeout, bodyTimeout: stallTimeout };
  const answer = await request(target, { method: "HEAD", headers, dispatcher, ...timeouts }).catch((error: unknown) => {
    throw new Error(httpWords(error), { cause: error });
  });
  await answer.body.dump();
  if (answer.statusCode !== 200) return undefined;
  return lengthOf(answer.headers) || undefined;
}

/**
 * Downloads into a file that must not exist. Success is status 200. Rejects with an Error that has the status and the
 * server's own words; the file then holds whatever came, and the caller removes it.
 */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { dispatcher, stallTimeout, mode = 0o644, most = Number.POSITIVE_INFINITY, progress } = options;
  const { url: target, headers } = requestOf(url);
  const timeouts = { headersTimeout: stallTimeout, bodyTimeout: stallTimeout };
  try {
    const answer = await request(target, { headers, dispatcher, ...timeouts });
    if (answer.statusCode !== 200) {
      const words = await wordsOf(answer.body);
      throw new Error(`Error downloading resource, received HTTP return code ${answer.statusCode}${words}`);
    }
    const expected = lengthOf(answer.headers);
    if (expected !== undefined) await checkSpace(path, expected);
    let bytes = 0;
    answer.body.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most)
        answer.body.destroy(new Error(`the server sends more than ${most} bytes, all that the cache has`));
      progress?.(bytes, expected);
    });
    await pipeline(answer.body, createWriteStream(path, { flags: "wx", mode }));
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "UND_ERR_BODY_TIMEOUT" || code === "UND_ERR_HEADERS_TIMEOUT") {
      throw new Error(`the server sent nothing for ${stallTimeout / 1000} s`, { cause: error });
    }
    throw new Error(httpWords(error), { cause: error });
  }
}

async function checkSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  const free = bavail * bsize;
  if (bytes + RESERVE <= free) return;
  throw new Error(`the resource has ${bytes} bytes, but only ${free} are free on the disk of the sandbox`);
}
