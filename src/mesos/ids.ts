import { randomUUID } from "node:crypto";

/** Bytes that an id may have on the wire and as a file name. */
const LONGEST = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what ids may not have
const FORBIDDEN = /[\u0000-\u001f\u007f/\\]/;

/**
 * Why a task, executor, framework or agent id is refused; undefined when it is fine. The rules of Mesos 1.11 masters;
 * ids become folder names, so they are also what keeps a task inside its sandbox.
 */
export function idProblem(id: string): string | undefined {
  if (id === "") return "must not be empty";
  if (Buffer.byteLength(id) > LONGEST) return `must not be longer than ${LONGEST} bytes`;
  if (id === "." || id === "..") return `must not be '${id}'`;
  const found = FORBIDDEN.exec(id)?.[0];
  if (found === undefined) return undefined;
  return found === "/" || found === "\\" ? `must not contain '${found}'` : "must not contain control characters";
}

/** 16 random bytes: a status uuid, or the value of a `mesos.v1.UUID`. */
export function newUuid(): Uint8Array<ArrayBuffer> {
  return uuidBytes(randomUUID());
}

/** Whether `bytes` are a uuid as Mesos sends it: raw, never the text. */
export const isUuid = (bytes: Uint8Array): boolean => bytes.length === 16;

/** `1b4e28ba-2fa1-11d2-883f-0016d3cca427` */
export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The raw bytes of a uuid's text. Throws a RangeError when it is none. */
export function uuidBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new RangeError(`'${text}' is not a uuid`);
  return new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex"));
}

/** The text of an id message; empty where there is none. */
export const idOf = (id: { readonly value: string } | undefined): string => id?.value ?? "";
