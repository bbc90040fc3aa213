import { codeOf, messageOf } from "./errors.ts";

/** What an HTTP client's failure means to whoever reads it, by the code that undici gives it. */
const WORDS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_OVERFLOW: "the head of the server's answer is too long",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the server sent another number of bytes than it announced",
  UND_ERR_RES_EXCEEDED_MAX_SIZE: "the server's answer is too long",
  ERR_INVALID_URL: "the server redirects to what is no URL",
  ERR_ASSERTION: "the server's answer is not HTTP/1.1",
};

/** Words of undici that its code does not tell apart. */
const BY_TEXT: readonly (readonly [RegExp, string])[] = [
  [/redirect loop/i, "the server redirects in a circle"],
  [/max(imum)? redirects/i, "the server redirects too often"],
  [/invalid url/i, "the server redirects to what is no HTTP URL"],
  [/other side closed|socket hang up|terminated/i, "the server closed the connection before its answer was complete"],
  [
    /bad response|bad upgrade|does not match the HTTP|falsy value/i,
    "the server's answer is not HTTP/1.1 that can be read",
  ],
];

/**
 * Why a request failed, in words about the server and not about a library's insides. Failures of the system (refused, unknown
 * host) and of TLS keep their own.
 */
export function httpWords(error: unknown): string {
  const codes = [codeOf(error), codeOf((error as { cause?: unknown } | undefined)?.cause)];
  const known = codes
    .map((code) => (code === undefined ? undefined : WORDS[code]))
    .find((words) => words !== undefined);
  if (known !== undefined) return known;
  const text = messageOf(error);
  const found = BY_TEXT.find(([pattern]) => pattern.test(text))?.[1];
  return found ?? (text || codes.find((code) => code !== undefined) || "it failed without a word");
}
