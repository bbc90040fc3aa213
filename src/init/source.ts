import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { type Clock, every } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Environment } from "./resolve.ts";

/**
 * Variables of our own prefixes are exported even where the file only sets them, as an environment file does. Its output
 * goes to the console; the resulting environment comes back over descriptor 3.
 */
const SCRIPT = `
. "$ENVIRONMENT_INIT"
init_status=$?
for init_name in \${!MESOS_@} \${!SERVICE_@} \${!LIBPROCESS_@} \${!GLOG_@} APP_NAME ENVIRONMENT PARENT_HOST HOST; do
  [ -z "\${!init_name+set}" ] || export "\${init_name?}"
done
exec 1>&3
printf 'sourced %s\\0' "$init_status"
exec env -0
`;

export interface Sourced {
  /** The whole environment afterwards, each value as bytes read as Latin-1: what is not UTF-8 must survive. */
  readonly variables: ReadonlyMap<string, Buffer>;
  /** Exit status of the file's last command; 2 for one that Bash cannot read. */
  readonly status: number;
}

/** Milliseconds between two lines that say what the boot waits for. */
const PATIENCE = 10_000;

/** True when `path` is a file that Bash can source. */
export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * Sources ENVIRONMENT_INIT with Bash. Rejects with a UserError when the file ends the shell (`exit`), because what it was to
 * set is then not set. A file that never ends is ended with this process, by the signal that ends the container.
 */
export function sourceFile(environment: Environment, clock: Clock, warn: (message: string) => void): Promise<Sourced> {
  const path = environment["ENVIRONMENT_INIT"] ?? "";
  const child = spawn("/bin/bash", ["-c", SCRIPT], {
    env: environment,
    stdio: ["inherit", "inherit", "inherit", "pipe"],
  });
  const chunks: Buffer[] = [];
  const begun = clock.monotonic();
  const waiting = every(clock, PATIENCE, () =>
    warn(`ENVIRONMENT_INIT=${path} has been running for ${Math.round((clock.monotonic() - begun) / 1000)} s`),
  );
  child.stdio[3]?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      waiting.cancel();
      const records = splitRecords(Buffer.concat(chunks));
      const [, status] = /^sourced (\d+)$/.exec(records[0]?.toString() ?? "") ?? [];
      if (status === undefined) {
        const how = signal === null ? `exit code ${code}` : signal;
        reject(
          new UserError(`ENVIRONMENT_INIT=${path} ended the shell that sourced it (${how})`, "use return, not exit"),
        );
        return;
      }
      resolve({ variables: variablesOf(records.slice(1)), status: Number(status) });
    });
  });
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
