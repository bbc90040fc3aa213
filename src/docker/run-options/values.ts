import { UserError } from "../../base/errors.ts";

/** The grammars of option values of `docker run`. Each throws a UserError that says what is wanted. */

const wrong = (value: string, wanted: string): UserError => new UserError(`'${value}' is not ${wanted}`);

export function flagValue(value: string): boolean {
  if (["", "1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
  throw wrong(value, "true or false");
}

export function integerValue(value: string): number {
  if (!/^[+-]?\d{1,15}$/.test(value)) throw wrong(value, "a whole number");
  return Number(value);
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/** Bytes: `64m`, `1.5g`, `1GiB`, powers of 1024 as in Docker. `-1` where the option allows it. */
export function bytesValue(value: string): number {
  if (value === "-1") return -1;
  const match = /^(\d+(?:\.\d+)?)\s?([bkmgtp]?)(?:i?b)?$/i.exec(value);
  if (match === null) throw wrong(value, "a size such as 64m, 2g or a number of bytes");
  return Math.floor(Number(match[1]) * (SIZE_UNITS[match[2]?.toLowerCase() || "b"] ?? 1));
}

const TIME_UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/** Nanoseconds: Go's durations, `1m30s`, `500ms`. */
export function durationValue(value: string): number {
  if (value === "0") return 0;
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join("") !== value) {
    throw wrong(value, "a duration such as 30s, 1m30s or 500ms");
  }
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (TIME_UNITS[unit ?? ""] ?? 0), 0));
}

/** `key=value`; without `=` the value is empty. */
export function pairValue(value: string): [string, string] {
  const at = value.indexOf("=");
  const key = at < 0 ? value : value.slice(0, at);
  if (key === "") throw wrong(value, "of the form key=value");
  return [key, at < 0 ? "" : value.slice(at + 1)];
}

/** `path:rest`. */
export function deviceLimit(value: string): [string, string] {
  const at = value.lastIndexOf(":");
  if (at <= 0 || !value.startsWith("/")) throw wrong(value, "of the form /dev/name:limit");
  return [value.slice(0, at), value.slice(at + 1)];
}

/** One line of comma separated values, quotes as in CSV: `a=1,"b=2,3"`. */
export function csvValue(value: string): string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? "";
    if (character === '"' && quoted && value[at + 1] === '"') {
      field += '"';
      at++;
    } else if (character === '"') quoted = !quoted;
    else if (character === "," && !quoted) {
      fields.push(field);
      field = "";
    } else field += character;
  }
  if (quoted) throw wrong(value, "a list with closed quotes");
  return [...fields, field];
}

/** A port with its protocol, `tcp` when none is given. */
export function portProtocol(value: string): { port: string; protocol: string } {
  const [port = "", protocol = "tcp"] = value.split("/", 2);
  if (!["tcp", "udp", "sctp"].includes(protocol.toLowerCase())) throw wrong(value, "a port/tcp, port/udp or port/sctp");
  return { port, protocol: protocol.toLowerCase() };
}

/** `8000` or `8000-8010` as numbers. */
export function portRange(value: string): number[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > 65535 || last > 65535 || last < first) throw wrong(value, "a port or a range of ports");
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
