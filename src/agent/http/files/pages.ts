import { posix } from "node:path";
import { FewAtOnce } from "../../../base/few-at-once.ts";
import { sorting } from "../../../base/sorting.ts";
import { type Answer, json, text } from "../../../http/answer.ts";
import { BodyBytes, bodyOf, type Pieces } from "../../../http/paced-body.ts";
import type { Query } from "../../../http/query.ts";
import { FilesError, type ShownFiles } from "./attached.ts";
import { listFolder, readPart } from "./listing.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".gif": "image/gif",
  ".gz": "application/gzip",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".log": "text/plain",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".tar": "application/x-tar",
  ".tgz": "application/gzip",
  ".txt": "text/plain",
  ".zip": "application/zip",
};

const NO_PATH = text(400, "Expecting 'path=value' in query.\n");

async function answering(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FilesError) return text(error.status, error.message);
    throw error;
  }
}

/** /files/browse */
export function browse(files: ShownFiles, query: Query): Promise<Answer> {
  return answering(async () => {
    const path = query("path");
    if (!path) return NO_PATH;
    const bytes = new BodyBytes();
    let separator = "[";
    await listFolder(
      path,
      () => files.open(path),
      ({ modeBits: _bits, ...entry }) => {
        bytes.add(separator + JSON.stringify(entry));
        separator = ",";
      },
    );
    bytes.add(separator === "[" ? "[]" : "]");
    return json(bytes.all());
  });
}

/** A number of /files/read: undefined for absent and -1; otherwise 0 or more, or the text of a refusal. */
function numberOf(name: "offset" | "length", given: string | undefined): number | undefined | { problem: string } {
  if (given === undefined || given === "-1") return undefined;
  const value = /^-?\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (Number.isNaN(value)) return { problem: `Failed to parse ${name}: '${given}' is not a whole number.\n` };
  return value < 0 ? { problem: `Negative ${name} provided: ${given}.\n` } : value;
}

/** JSON with the file's bytes as they are, as libprocess writes it: a page may end inside a character. */
function readJson(offset: number, data: Buffer): Buffer {
  const asText = JSON.stringify(data.toString("latin1"));
  return Buffer.from(`{"data":${asText},"offset":${offset}}`, "latin1");
}

/** /files/read */
export function read(files: ShownFiles, query: Query): Promise<Answer> {
  return answering(async () => {
    const path = query("path");
    if (!path) return NO_PATH;
    const offset = numberOf("offset", query("offset"));
    const length = numberOf("length", query("length"));
    if (typeof offset === "object") return text(400, offset.problem);
    if (typeof length === "object") return text(400, length.problem);
    const part = await readPart(await files.open(path), offset, length);
    return json(readJson(part.offset, part.data));
  });
}

/** A header that names the file, plainly where that is possible. */
export function dispositionOf(path: string): string {
  const name = posix.basename(path);
  if (/^[\w.+-]+$/.test(name)) return `attachment; filename=${name}`;
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** /files/download: the file up to the size that it has now. */
export function download(files: ShownFiles, query: Query): Promise<Answer> {
  return answering(async () => {
    const path = query("path");
    if (!path) return NO_PATH;
    const { handle, kind, size } = await files.open(path);
    if (kind === "folder") {
      await handle.close();
      return text(400, "Cannot download a directory.\n");
    }
    const type = TYPES[posix.extname(path).toLowerCase()] ?? "application/octet-stream";
    if (size === 0) await handle.close();
    const stream = size === 0 ? undefined : handle.createReadStream({ start: 0, end: size - 1 });
    const disposition = dispositionOf(path);
    if (stream === undefined) return text(200, "", { "content-type": type, "content-disposition": disposition });
    return { kind: "stream", type, length: size, disposition, stream };
  });
}

/** Lists of all paths that are made at once: each holds them all. */
const debugs = new FewAtOnce(2);

/** Paths that are gathered between two yields. */
const GATHERED = 64;

/** /files/debug */
export function debug(files: ShownFiles): Promise<Answer> {
  return debugs.run(async () => json(await bodyOf(entriesText(files))));
}

/** An object of all virtual paths, sorted. There may be hundreds of thousands: of sandboxes that wait for their removal, too. */
function* entriesText(files: ShownFiles): Pieces {
  const realOf = new Map<string, string>();
  for (const [virtual, real] of files.entries()) {
    realOf.set(virtual, real);
    if (realOf.size % GATHERED === 0) yield "";
  }
  const sort = sorting([...realOf.keys()]);
  let step = sort.next();
  for (; step.done !== true; step = sort.next()) yield "";
  let separator = "{";
  for (const virtual of step.value) {
    yield `${separator}${JSON.stringify(virtual)}:${JSON.stringify(realOf.get(virtual))}`;
    separator = ",";
  }
  yield separator === "{" ? "{}" : "}";
}
