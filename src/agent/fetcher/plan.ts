import { isAbsolute, normalize } from "node:path";
import type { CommandInfo_URI } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** How an archive is unpacked; `none`: it is no archive, or not to be unpacked. */
export type Unpacking = "tar" | "tar.zst" | "zip" | "gzip" | "none";

/** One URI, decided (mesos-agent-behaviour §6.2). */
export interface FetchItem {
  /** As the task gave it, without leading white space. */
  readonly uri: string;
  readonly source:
    | { readonly kind: "http"; readonly url: string }
    | { readonly kind: "ftp"; readonly url: string }
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "hadoop"; readonly url: string };
  /** Path below the sandbox. */
  readonly destination: string;
  readonly executable: boolean;
  readonly unpacking: Unpacking;
  readonly cache: boolean;
}

const SUFFIXES: readonly (readonly [string, Unpacking])[] = [
  [".tar.gz", "tar"],
  [".tgz", "tar"],
  [".tar.bz2", "tar"],
  [".tbz2", "tar"],
  [".tar.xz", "tar"],
  [".txz", "tar"],
  [".tar.zst", "tar.zst"],
  [".tzst", "tar.zst"],
  [".tar", "tar"],
  [".zip", "zip"],
  [".gz", "gzip"],
];

/** By suffix, case-sensitive; a query string is part of the name and defeats it, as in Mesos. */
const unpackingOf = (name: string): Unpacking => SUFFIXES.find(([suffix]) => name.endsWith(suffix))?.[1] ?? "none";

class UriProblem extends Error {}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;

function sourceOf(uri: string, frameworksHome: string | undefined): FetchItem["source"] {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(uri)?.[1];
  if (scheme === "http" || scheme === "https") return { kind: "http", url: uri };
  if (scheme === "ftp" || scheme === "ftps") {
    // Each would end the line of curl's configuration in which the URI stands.
    if (CONTROL.test(uri))
      throw new UriProblem("An FTP URI cannot have control characters (write a line break as %0A)");
    return { kind: "ftp", url: uri };
  }
  if (scheme !== undefined && scheme !== "file") return { kind: "hadoop", url: uri };
  const path = scheme === undefined ? uri : uri.slice("file://".length).replace(/^localhost(?=\/)/, "");
  if (isAbsolute(path)) return { kind: "file", path };
  if (scheme === "file") throw new UriProblem("File URI only supports absolute paths");
  if (!frameworksHome) {
    throw new UriProblem(
      "A relative path was passed for the resource but the agent's flag --frameworks_home is not set",
    );
  }
  return { kind: "file", path: `${frameworksHome}/${path}` };
}

function baseName(uri: string): string {
  const afterScheme = uri.replace(/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//, "");
  if (afterScheme !== uri && !afterScheme.includes("/")) throw new UriProblem("Malformed URI (missing path)");
  const name = uri.slice(uri.lastIndexOf("/") + 1);
  if (name === "" || name === "." || name === "..") throw new UriProblem("Malformed URI (it does not name a file)");
  return name;
}

function destinationOf(uri: CommandInfo_URI, value: string): string {
  if (uri.outputFile === "") return baseName(value);
  const path = normalize(uri.outputFile);
  if (isAbsolute(path)) throw new UriProblem(`output_file '${uri.outputFile}' is an absolute path`);
  if (path === "." || path === ".." || path.startsWith("../") || path.endsWith("/")) {
    throw new UriProblem(`output_file '${uri.outputFile}' is not a file within the sandbox`);
  }
  return path;
}

/** Decides one URI; throws an Error that says what is wrong with it. */
export function planFetch(uri: CommandInfo_URI, frameworksHome: string | undefined): FetchItem {
  const value = uri.value.trimStart();
  if (value === "") throw new UriProblem("The URI is empty");
  if (/[\\'\0]/.test(value)) throw new UriProblem("The URI contains an illegal character (backslash, quote or NUL)");
  const destination = destinationOf(uri, value);
  return {
    uri: value,
    source: sourceOf(value, frameworksHome),
    destination,
    executable: uri.executable,
    unpacking: uri.executable || !uri.extract ? "none" : unpackingOf(uri.outputFile === "" ? value : destination),
    cache: uri.cache,
  };
}

/** A user, and a password that may have an `@`: up to the last one before the path. */
const PASSWORD = /^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#@:]*):([^/?#]*)@/s;
/** One that has a `/`, as secrets of S3 in Hadoop's URIs do: what is not a number is no port. */
const PASSWORD_WITH_SLASH = /^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#@:[]*):(?!\d*[/?#])([^?#]*)@/s;

const passwordIn = (uri: string): RegExpExecArray | null => PASSWORD.exec(uri) ?? PASSWORD_WITH_SLASH.exec(uri);

/** The URI without a password, for logs: sandboxes are read by many. */
export function shownUri(uri: string): string {
  const found = passwordIn(uri);
  return found === null ? uri : `${found[1]}:****@${uri.slice(found[0].length)}`;
}

/** A program's words about a URI, without the password that may be quoted in them. */
export function wordsWithoutPassword(words: string, uri: string): string {
  const password = passwordIn(uri)?.[2];
  return password ? words.replaceAll(`:${password}@`, ":****@") : words;
}
