import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { codeOf, messageOf } from "../../base/errors.ts";
import { acceptsGzip } from "../../libprocess/accept.ts";

/** The node's own web page: a few files that are read once and kept. */

/** What the page may do: its own scripts and styles, requests to this agent, and nothing else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const INDEX = "index.html";
/** Bytes of all files together: what is larger is not this page. */
const LARGEST_PAGE = 4 * 1024 * 1024;

interface StaticFile {
  readonly body: Buffer;
  readonly compressed: Buffer;
  readonly type: string;
  readonly tag: string;
}

/** The page's files by name. `problem`: why there is no page, and what to do. */
export type StaticFiles = { readonly files: ReadonlyMap<string, StaticFile> } | { readonly problem: string };

/** Reads the files of `folder` (not below it) whose kind a page consists of. */
export function readStaticFiles(folder: string): StaticFiles {
  try {
    const names = readdirSync(folder).filter((name) => extname(name) in TYPES);
    if (!names.includes(INDEX)) return { problem: noPage(folder, `there is no ${INDEX}`) };
    const files = new Map<string, StaticFile>();
    let size = 0;
    for (const name of names) {
      const body = readFileSync(join(folder, name));
      size += body.length;
      if (size > LARGEST_PAGE) return { problem: noPage(folder, `its files have more than ${LARGEST_PAGE} bytes`) };
      const tag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
      files.set(name, { body, compressed: gzipSync(body), type: TYPES[extname(name)] ?? "", tag });
    }
    return { files };
  } catch (error) {
    return { problem: noPage(folder, codeOf(error) === "ENOENT" ? "its folder is missing" : messageOf(error)) };
  }
}

const noPage = (folder: string, why: string): string =>
  `The node's web page is not served: ${why} (${folder}). Install the whole package, its folder ui/ included`;

/**
 * Serves the page at `/` and its files at `/ui/NAME`. `/ui`, `/slave(1)` and their like lead to `/`: the page asks for
 * everything by relative addresses, so that it works behind a proxy that puts a path in front.
 */
export function staticHandler(page: StaticFiles): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    request.resume();
    const path = (request.url ?? "/").replace(/[?#].*$/s, "");
    const answer = (status: number, headers: Record<string, string>, body: string | Buffer): void => {
      response.writeHead(status, { ...headers, ...COMMON, "Content-Length": Buffer.byteLength(body) });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    const say = (status: number, text: string, more: Record<string, string> = {}): void =>
      answer(status, { "Content-Type": "text/plain; charset=utf-8", ...more }, `${text}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") {
      say(405, `Expecting 'GET', but received '${request.method}'`, { Allow: "GET, HEAD" });
      return;
    }
    if ("problem" in page) {
      say(404, page.problem);
      return;
    }
    const name = nameOf(path);
    if (name === undefined) {
      say(307, "See /", { Location: homeOf(path) });
      return;
    }
    const file = page.files.get(name);
    if (file === undefined) {
      say(404, "The page has no such file; see /");
      return;
    }
    const headers = { "Content-Type": file.type, ETag: file.tag, "Cache-Control": "no-cache", Vary: "Accept-Encoding" };
    if (request.headers["if-none-match"] === file.tag) {
      response.writeHead(304, { ...headers, ...COMMON });
      response.end();
      return;
    }
    const isSmall = acceptsGzip(request.headers["accept-encoding"]?.toString());
    const encoding: Record<string, string> = isSmall ? { "Content-Encoding": "gzip" } : {};
    answer(200, { ...headers, ...encoding }, isSmall ? file.compressed : file.body);
  };
}

const COMMON: Readonly<Record<string, string>> = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

/** The file that a path names; undefined for another spelling of the page itself. */
function nameOf(path: string): string | undefined {
  if (path === "/") return INDEX;
  const below = /\/ui\/(.+)$/s.exec(path)?.[1];
  return below;
}

/** The way from `path` to `/`, relative. */
function homeOf(path: string): string {
  const depth = path.split("/").length - 2;
  return depth <= 0 ? "./" : "../".repeat(depth);
}
