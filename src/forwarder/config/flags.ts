import { messageOf, UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { parseGoDuration } from "./go-duration.ts";

/** The command line, as Go's flag package reads it: `-config X`, `-config=X`, `--config X`. */
export interface Flags {
  readonly config: string | undefined;
  readonly spoolSize: number | undefined;
  readonly harvestBufferSize: number | undefined;
  /** Milliseconds. */
  readonly idleFlushTime: number | undefined;
  readonly tail: boolean;
  readonly quiet: boolean;
  readonly logToSyslog: boolean;
  readonly cpuProfile: string | undefined;
  readonly version: boolean;
  readonly help: boolean;
  readonly validate: boolean;
  readonly once: boolean;
  readonly tap: boolean;
  readonly registry: string | undefined;
  readonly verbose: boolean;
}

interface Row {
  readonly names: readonly string[];
  readonly key: keyof Flags;
  readonly kind: "text" | "number" | "duration" | "flag";
  readonly summary: string;
}

/** Every flag: the old program's, then ours. */
export const flagRows: readonly Row[] = [
  { names: ["config"], key: "config", kind: "text", summary: "configuration file, or folder of files" },
  { names: ["spool-size", "sv"], key: "spoolSize", kind: "number", summary: "events in one window, at most (2048)" },
  {
    names: ["harvest-buffer-size", "hb"],
    key: "harvestBufferSize",
    kind: "number",
    summary: "bytes read at once (131072)",
  },
  {
    names: ["idle-flush-time"],
    key: "idleFlushTime",
    kind: "duration",
    summary: "an incomplete window is sent after this (50ms)",
  },
  { names: ["tail", "t"], key: "tail", kind: "flag", summary: "begin at the end of files that have no position" },
  { names: ["quiet"], key: "quiet", kind: "flag", summary: "log errors only" },
  { names: ["log-to-syslog", "syslog"], key: "logToSyslog", kind: "flag", summary: "log to syslog, by logger(1)" },
  { names: ["cpuprofile"], key: "cpuProfile", kind: "text", summary: "write a CPU profile of the run into this file" },
  { names: ["version"], key: "version", kind: "flag", summary: "print the version" },
  { names: ["help", "h"], key: "help", kind: "flag", summary: "print this" },
  { names: ["validate"], key: "validate", kind: "flag", summary: "check the configuration, print it resolved" },
  { names: ["once"], key: "once", kind: "flag", summary: "ship what there is and exit" },
  {
    names: ["tap"],
    key: "tap",
    kind: "flag",
    summary: "print events as JSON instead of shipping them; positions stay",
  },
  { names: ["registry"], key: "registry", kind: "text", summary: "where positions are recorded" },
  { names: ["verbose", "v"], key: "verbose", kind: "flag", summary: "log more" },
];

const rowOf = new Map(flagRows.flatMap((row) => row.names.map((name) => [name, row])));

function durationOf(name: string, text: string): number {
  try {
    return parseGoDuration(/^0+$/.test(text) ? "0s" : text);
  } catch (error) {
    const fix = error instanceof UserError ? error.fix : undefined;
    throw new UserError(`-${name}: ${error instanceof UserError ? error.message : messageOf(error)}`, fix);
  }
}

function parseValue(row: Row, name: string, text: string): string | number | boolean | undefined {
  if (row.kind === "text") return text;
  if (row.kind === "duration") return durationOf(name, text);
  if (row.kind === "number") {
    const value = Number(text);
    // 0 is the default, as an unset one always was.
    if (/^0+$/.test(text)) return undefined;
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
      throw new UserError(`-${name}: '${text}' is not a whole number`, `write for example -${name}=1024`);
    return value;
  }
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new UserError(`-${name}: '${text}' is neither true nor false`, `write -${name} or -${name}=false`);
}

/** Parses the command line. Throws a UserError for what is unknown or malformed. */
export function parseFlags(args: readonly string[]): Flags {
  const flags: Record<string, unknown> = {};
  for (const row of flagRows) flags[row.key] = row.kind === "flag" ? false : undefined;
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument);
    if (match === null) throw new UserError(`'${argument}' is not a flag`, "flags are written -name value; see -help");
    const [, name = "", inline] = match;
    const row = rowOf.get(name);
    if (row === undefined) {
      const close = nearest(name, [...rowOf.keys()]);
      throw new UserError(`-${name} is not a flag`, close === undefined ? "see -help" : `did you mean -${close}?`);
    }
    const text = inline ?? (row.kind === "flag" ? "true" : args[++index]);
    if (text === undefined) throw new UserError(`-${name} needs a value`, `write -${name} VALUE`);
    flags[row.key] = parseValue(row, name, text);
  }
  return flags as unknown as Flags;
}

/** The text of `-help`. */
export function helpText(): string {
  const rows = flagRows.map(({ names, kind, summary }) => {
    const spelled = names.map((name) => `-${name}`).join(", ");
    return `  ${`${spelled}${kind === "flag" ? "" : ` ${kind === "text" ? "PATH" : kind === "number" ? "N" : "TIME"}`}`.padEnd(34)}${summary}`;
  });
  return `Usage: logstash-forwarder -config PATH [flags]

Follows files and ships their lines to Logstash over Lumberjack.

${rows.join("\n")}

Signals: TERM and INT stop after what is in flight is acknowledged; HUP reads the configuration again.
`;
}
