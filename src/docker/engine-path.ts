import { EngineError } from "./errors.ts";

/**
 * One part of an Engine path. Whatever a task names stays one part: a slash, `?` or `%` is encoded, and `.` and `..`, which
 * servers resolve before they look who is asked, are refused. Throws an EngineError.
 */
export function segment(text: string): string {
  if (text === "" || text === "." || text === "..")
    throw new EngineError("refused", `'${text}' names nothing of Docker's`);
  return encodeURIComponent(text);
}

/** The name of an image in an Engine path: parts with slashes between them; a tag and a digest as they are written. */
export const imagePath = (reference: string): string =>
  reference
    .split("/")
    .map((part) => segment(part).replaceAll("%3A", ":").replaceAll("%40", "@"))
    .join("/");
