import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Clock, every } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { quoteWord } from "./command.ts";
import type { Environment } from "./resolve.ts";

/**
 * Sources `file`, and writes the resulting environment to `channel`. Neither depends on anything that the file may change: no
 * descriptor of this shell, no PATH, no option (`set -e`, `set -C`, or `set -x`, which would print secrets), no function of its own.
 * Variables of our own prefixes are exported even where the file only sets them, as an environment file does.
 */
const script = (file: string, channel: string): string => `
trap 'init_failed=$BASH_COMMAND' ERR
trap 'init_status=$?; { set +xv; } 2>/dev/null; builtin printf "ended %s %s %s\\0" "$init_status" "$-" "\${init_failed-}" >|${channel}' EXIT
. ${file}
init_status=$?
{ builtin set +xveuf; builtin trap - EXIT ERR DEBUG RETURN; } 2>/dev/null
IFS=$' \\t\\n'
for init_name in \${!MESOS_@} \${!SERVICE_@} \${!LIBPROCESS_@} \${!GLOG_@} APP_NAME ENVIRONMENT PARENT_HOST HOST; do
  [ -z "\${!init_name+set}" ] || builtin export "\${init_name?}"
done
{
  builtin printf 'sourced %s\\0' "$init_status"
  [ ! -x /usr/bin/env ] || builtin exec /usr/bin/env -0
  builtin exec /bin/env -0
} >|${channel}
`;

export interface Sourced {
  /** The whole environment afterwards, each value as bytes read as Latin-1: what is not UTF-8 must survive. */
  readonly variables: ReadonlyMap<string, Buffer>;
  /** What the file should not hold, or do. */
  readonly warnings: readonly string[];
}

/** Milliseconds between two lines that say what the boot waits for. */
const PATIENCE = 10_000;

/** True when `path` is a file that Bash can source. */
export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Where a file that has no name any more may lie; secrets may be in it. The first that can be written. */
const FOLDERS = (root: string): string[] => [`${root}/run`, tmpdir(), "/dev/shm"];

/** An open file without a name, for this user alone, and the path by which another process of his finds it. */
function nameless(root: string): { readonly descriptor: number; readonly path: string } {
  let problem: unknown;
  for (const folder of FOLDERS(root)) {
    try {
      const own = mkdtempSync(join(folder, "init-"));
      try {
        const descriptor = openSync(join(own, "file"), "wx+", 0o600);
        return { descriptor, path: `/proc/${process.pid}/fd/${descriptor}` };
      } finally {
        rmSync(own, { recursive: true });
      }
    } catch (error) {
      problem ??= error;
    }
  }
  throw new UserError(`ENVIRONMENT_INIT needs room for a small file: ${messageOf(problem)}`, "--tmpfs /run");
}

/** What Windows' editors put into a file and Bash would take as part of the values. Throws for what is no such text at all. */
export function withoutEditorsMarks(
  text: Buffer,
  name: string,
): { readonly text: Buffer; readonly warnings: readonly string[] } {
  const start = text.toString("hex", 0, 2);
  if (start === "fffe" || start === "feff")
    throw new UserError(`${name} is UTF-16, which Bash cannot read`, "save it as UTF-8");
  const warnings: string[] = [];
  let clean = text.toString("latin1");
  if (clean.startsWith("\xef\xbb\xbf")) {
    clean = clean.slice(3);
    warnings.push(`${name} begins with a byte order mark, which is left out here: save it as UTF-8 without one`);
  }
  if (clean.includes("\r\n")) {
    clean = clean.replaceAll("\r\n", "\n");
    warnings.push(`${name} has Windows' line ends (CRLF), taken here as plain ones: convert it (sed -i 's/\\r$//')`);
  }
  return { text: Buffer.from(clean, "latin1"), warnings };
}

export interface Sourcing {
  readonly clock: Clock;
  /** For what must be said at once, while the file runs. */
  readonly warn: (message: string) => void;
  /** Ends a file that never ends. */
  readonly signal: AbortSignal;
}

/**
 * Sources ENVIRONMENT_INIT with Bash; what it leaves in the background runs on. Rejects with a UserError when the file ends the
 * shell (`exit`, or a failure under `set -e`), because what it was to set is then not set.
 */
export async function sourceFile(environment: Environment, sourcing: Sourcing): Promise<Sourced> {
  const name = `ENVIRONMENT_INIT=${environment["ENVIRONMENT_INIT"]}`;
  const path = resolve(environment["ENVIRONMENT_INIT"] ?? "");
  const root = environment["INIT_ROOT"] ?? "";
  const { text, warnings } = withoutEditorsMarks(readFileSync(path), name);
  const channel = nameless(root);
  const clean = warnings.length === 0 ? undefined : nameless(root);
  try {
    if (clean !== undefined) writeSync(clean.descriptor, text);
    const how = await run(script(quoteWord(clean?.path ?? path), channel.path), name, environment, sourcing);
    const records = splitRecords(readFileSync(channel.path));
    const first = records[0]?.toString("latin1") ?? "";
    const [, status] = /^sourced (\d+)$/.exec(first) ?? [];
    if (status === undefined) throw endOf(name, first, how);
    const failed = status === "0" ? [] : [`${name} ended with status ${status}: are all its settings there?`];
    return { variables: variablesOf(records.slice(1)), warnings: [...warnings, ...failed] };
  } finally {
    closeSync(channel.descriptor);
    if (clean !== undefined) closeSync(clean.descriptor);
  }
}

/** Runs Bash to its own end, whoever else still holds its output. Resolves to how it ended. */
function run(text: string, name: string, environment: Environment, { clock, warn, signal }: Sourcing): Promise<string> {
  const child = spawn("/bin/bash", ["-c", text], { env: environment, stdio: "inherit", signal });
  const begun = clock.monotonic();
  const waiting = every(clock, PATIENCE, () =>
    warn(`${name} has been running for ${Math.round((clock.monotonic() - begun) / 1000)} s`),
  );
  return new Promise<string>((done, reject) => {
    child.once("error", reject);
    child.once("exit", (code, killer) => done(killer === null ? `exit code ${code}` : killer));
  }).finally(() => waiting.cancel());
}

/** Why the shell ended before it had sourced the file. `record` is what its trap left: status, options, and the command. */
function endOf(name: string, record: string, how: string): UserError {
  const [, status, options = "", command = ""] = /^ended (\d+) (\S*) ([\s\S]*)$/.exec(record) ?? [];
  // The word alone: the rest of a command may hold secrets.
  const word = /^(?:\w+=\S*\s+)*([\w./-]+)/.exec(command)?.[1] ?? "a command";
  if (options.includes("e") && command !== "")
    return new UserError(
      `${name}: ${word} failed with status ${status}, and under \`set -e\` that ended the shell that sourced it`,
      "let it handle the failure (|| …), or leave set -e out",
    );
  if (options.includes("u") && status === "127")
    return new UserError(
      `${name}: a variable that is not set ended the shell that sourced it (\`set -u\`)`,
      "set it first",
    );
  return new UserError(`${name} ended the shell that sourced it (${how})`, "use return, not exit");
}

function splitRecords(data: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; ; ) {
    const end = data.indexOf(0, start);
    if (end < 0) return records;
    records.push(data.subarray(start, end));
    start = end + 1;
  }
}

/** Variables that the shell itself makes or changes. */
const OF_THE_SHELL = new Set(["_", "SHLVL", "PWD", "OLDPWD"]);

function variablesOf(records: readonly Buffer[]): Map<string, Buffer> {
  const variables = new Map<string, Buffer>();
  for (const record of records) {
    const at = record.indexOf("=");
    const name = record.subarray(0, at).toString();
    if (at > 0 && !OF_THE_SHELL.has(name)) variables.set(name, record.subarray(at + 1));
  }
  return variables;
}
