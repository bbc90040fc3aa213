import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { codeOf, messageOf } from "../../base/errors.ts";
import { type Answer, text } from "../../http/answer.ts";
import type { HttpRequest } from "../../http/request.ts";

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
 * The page at `/` and its files at `/ui/NAME`. `/ui`, `/slave(1)` and their like lead to `/`: the page asks for everything by
 * relative addresses, so that it works behind a proxy that puts a path in front.
 */
export function staticPage(page: StaticFiles, { path, headers: asked }: Pick<HttpRequest, "path" | "headers">): Answer {
  if ("problem" in page) return text(404, `${page.problem}\n`, COMMON);
  const name = nameOf(path);
  if (name === undefined) return text(307, "See /\n", { ...COMMON, location: homeOf(path) });
  const file = page.files.get(name);
  if (file === undefined) return text(404, "The page has no such file; see /\n", COMMON);
  const { type, tag, body, compressed } = file;
  const headers = { ...COMMON, etag: tag, "cache-control": "no-cache" };
  if (asked["if-none-match"] === tag) {
    const vary = { ...headers, vary: "Accept-Encoding" };
    return { kind: "body", status: 304, type, headers: vary, body: Buffer.alloc(0) };
  }
  return { kind: "body", type, headers, body, compressed };
}

const COMMON: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "referrer-policy": "no-referrer",
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
