import { EngineError } from "./errors.ts";

const LONGEST_LINE = 1024 * 1024;

/** The lines of a stream of JSON values, one a line (events, pull). Lines beyond 1 MB are a protocol error. */
export async function* lines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of source) {
    pending += decoder.decode(chunk, { stream: true });
    const parts = pending.split("\n");
    pending = parts.pop() ?? "";
    for (const part of parts) if (part.trim() !== "") yield part.trim();
    if (pending.length > LONGEST_LINE) {
      throw new EngineError("protocol", `the Docker daemon sent a line of more than ${LONGEST_LINE} characters`);
    }
  }
  if (pending.trim() !== "") yield pending.trim();
}
