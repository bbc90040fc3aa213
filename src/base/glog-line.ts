/** glog's severities, lowest first. */
export const severities = ["INFO", "WARNING", "ERROR", "FATAL"] as const;
export type Severity = (typeof severities)[number];

export const rankOf = (severity: Severity): number => severities.indexOf(severity);

const two = (value: number): string => String(value).padStart(2, "0");

/** Longer texts are cut: a message may quote what came from the network. */
const LONGEST_MESSAGE = 65_536;

/** Begins every further line of a message: a text from outside that has line breaks must not look like a line of ours. */
const CONTINUATION = "\n    ";

/** What a line may have that is not written as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const ODD_CHARACTER = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/;

/**
 * Control characters that could drive a terminal, and what some readers take for a line break (U+0085, U+2028), are shown
 * as \xNN; tabs stay. Further lines are indented: only a real line has its severity in the first column.
 */
function printable(message: string): string {
  // Nearly no line has any, and a replacement makes something even of those.
  if (message.length <= LONGEST_MESSAGE && !ODD_CHARACTER.test(message)) return message;
  const cut = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}… (cut)` : message;
  return (
    cut
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
      .replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => `\\x${hexOf(char)}`)
      .replaceAll(/\n(?![ \t])/g, CONTINUATION)
  );
}

/** A message as one line, for logs that are read beside a task's own output: its line breaks are shown as `\n`. */
export const oneLine = (message: string): string => message.replaceAll("\n", "\\n");

const hexOf = (char: string): string => char.charCodeAt(0).toString(16).padStart(2, "0");

export interface Line {
  readonly severity: Severity;
  /** Milliseconds since the epoch; the fraction gives the microseconds. */
  readonly time: number;
  readonly threadId: number;
  /** What stands where glog has the source file. */
  readonly source: string;
  readonly line: number;
  readonly message: string;
}

/** `0912 14:03:27.`, and of which second: thousands of lines are written in one. */
let second = Number.NaN;
let shownSecond = "";

function showSecond(time: number): string {
  const wanted = Math.floor(time / 1000);
  if (wanted === second) return shownSecond;
  const date = new Date(time);
  const day = two(date.getMonth() + 1) + two(date.getDate());
  shownSecond = `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.`;
  second = wanted;
  return shownSecond;
}

/** `I0912 14:03:27.123456  1234 slave.cpp:190] text`, in local time, with the line break at its end. */
export function formatLine({ severity, time, threadId, source, line, message }: Line): string {
  const microseconds = Math.floor((time % 1000) * 1000);
  const fraction = String(microseconds).padStart(6, "0");
  const thread = String(threadId).padStart(5, " ");
  return `${severity[0]}${showSecond(time)}${fraction} ${thread} ${source}:${line}] ${printable(message)}\n`;
}

/** `20150912-140327`, as in the names of log files; local time. */
function fileTime(time: number): string {
  const date = new Date(time);
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}-${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}

/** The first lines of every log file. */
export function fileHeader(time: number, host: string): string {
  const stamp = fileTime(time);
  const day = `${stamp.slice(0, 4)}/${stamp.slice(4, 6)}/${stamp.slice(6, 8)}`;
  const clock = `${stamp.slice(9, 11)}:${stamp.slice(11, 13)}:${stamp.slice(13, 15)}`;
  return (
    `Log file created at: ${day} ${clock}\n` +
    `Running on machine: ${host}\n` +
    "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
  );
}

export interface LogFileName {
  readonly program: string;
  readonly host: string;
  readonly user: string;
  readonly severity: Severity;
  readonly time: number;
  readonly pid: number;
}

/** A part of a file name: no folder, nothing odd, never empty. */
const part = (text: string): string => text.replaceAll(/[^A-Za-z0-9_.-]/g, "_").slice(0, 100) || "unknown";

/** `<prog>.<host>.<user>.log.<SEVERITY>.<yyyymmdd-hhmmss>.<pid>` */
export function logFileName({ program, host, user, severity, time, pid }: LogFileName): string {
  return `${part(program)}.${part(host)}.${part(user)}.log.${severity}.${fileTime(time)}.${pid}`;
}

/** `<prog>.<SEVERITY>`, the symbolic link to the newest file. */
export const linkName = (program: string, severity: Severity): string => `${part(program)}.${severity}`;

/**
 * Of the names in a log folder, those that the newest `keep` files of this program and severity make superfluous:
 * whichever host name wrote them, since a container gets a new one each time.
 */
export function superfluousFiles(
  names: readonly string[],
  program: string,
  severity: Severity,
  keep: number,
): string[] {
  const prefix = `${part(program)}.`;
  const pattern = new RegExp(`\\.log\\.${severity}\\.(\\d{8}-\\d{6})\\.(\\d+)$`);
  const ours = names.flatMap((name) => {
    const match = name.startsWith(prefix) ? pattern.exec(name) : null;
    return match === null ? [] : [{ name, key: `${match[1]}.${match[2]?.padStart(10, "0")}` }];
  });
  return ours
    .sort((left, right) => (left.key < right.key ? 1 : -1))
    .slice(keep)
    .map(({ name }) => name);
}
