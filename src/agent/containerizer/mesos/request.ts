import { has } from "../../../mesos/codec.ts";
import type { CommandInfo } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { WindowSize } from "../../model/session.ts";

/** One resource limit: `resource` is the kernel's number; undefined means no limit. */
export interface ResourceLimit {
  readonly resource: number;
  readonly soft: bigint | undefined;
  readonly hard: bigint | undefined;
}

/** A process for the launcher to start. Every text is passed as is: newlines, quotes and any UTF-8 survive. */
export interface ProcessRequest {
  readonly cwd: string;
  /** undefined: the agent's own user. */
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] } | undefined;
  /** Paths, relative to `cwd` or absolute; opened for append after the switch of user. */
  readonly stdout: string;
  readonly stderr: string;
  /** setrlimit(2), before the switch of user. */
  readonly rlimits: readonly ResourceLimit[];
  /** cgroup.procs files that the process enters first. */
  readonly controlGroups: readonly string[];
  /**
   * Paths that are bound onto themselves, read-only, in a mount namespace of its own; behind `!` where it may not run without
   * that, behind `?` where it then runs all the same and its stderr says so.
   */
  readonly readOnly?: readonly string[];
  /** Then it gets a cgroup namespace, in which `path`, a control group, is its user's own and shown at `at`. */
  readonly ownGroup: { readonly path: string; readonly at: string } | undefined;
  /** The size of a terminal that it reads and writes, instead of its outputs; what it says comes into `stdout`. */
  readonly terminal?: WindowSize | undefined;
  /** A path, or a name that is looked up in the new environment's PATH. */
  readonly file: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A frame may not exceed this: the kernel's own limit for arguments and environment is 2 MB by default. */
const LARGEST_FRAME = 4 * 1024 * 1024;

/** The shell and argv forms of CommandInfo, as execve takes them (mesos-agent-behaviour §5.12). */
export function commandLine(command: {
  readonly shell: boolean;
  readonly value: string;
  readonly arguments: readonly string[];
}): { file: string; argv: readonly string[] } {
  // An absolute path, because the task's own PATH may lack the shell.
  if (command.shell) return { file: "/bin/sh", argv: ["sh", "-c", command.value] };
  if (command.arguments.length === 0) return { file: command.value, argv: [command.value] };
  return { file: command.value, argv: command.arguments };
}

/** A command that says nothing to run would be one that succeeds. An empty text is something. Throws a TaskFailure, with the words of Mesos. */
export function checkCommand(command: CommandInfo): void {
  if (has(command, "value")) return;
  throw TaskFailure.launch(`${command.shell ? "Shell command" : "Executable path"} is not specified`);
}

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) count++;
  return count;
}

/** Fields as the programs in Perl take them: a length of 32 bits, then texts with NUL between them. Throws a RangeError. */
export function frame(fields: readonly string[]): Buffer {
  const text = fields.join("\0");
  if (occurrences(text, "\0") >= fields.length) throw new RangeError("a text contains the character NUL");
  const size = Buffer.byteLength(text);
  if (size > LARGEST_FRAME) {
    throw new RangeError(`command and environment have ${size} bytes, more than ${LARGEST_FRAME}`);
  }
  const whole = Buffer.allocUnsafe(4 + size);
  whole.writeUInt32BE(size);
  whole.write(text, 4, "utf8");
  return whole;
}

function environmentFields(environment: Readonly<Record<string, string>>): string[] {
  return Object.keys(environment).map((name) => {
    if (name === "" || name.includes("=")) throw new RangeError(`'${name}' is not a name for an environment variable`);
    return `${name}=${environment[name]}`;
  });
}

/** uid, gid, groups; all empty for the agent's own user. */
export const identityFields = (user: ProcessRequest["user"]): string[] =>
  user === undefined ? ["", "", ""] : [`${user.uid}`, `${user.gid}`, user.groups.join(" ")];

/** Texts behind their number. */
export const listFields = (texts: readonly string[]): string[] => [`${texts.length}`, ...texts];

/** What is executed. Throws a RangeError for a variable that cannot be. */
export const programFields = ({
  file,
  argv,
  environment,
}: Pick<ProcessRequest, "file" | "argv" | "environment">): string[] => [
  file,
  ...listFields(argv),
  ...environmentFields(environment),
];

function processFields(request: ProcessRequest): { plain: string[]; counted: string[] } {
  const { controlGroups, ownGroup, readOnly = [] } = request;
  const limit = (value: bigint | undefined): string => (value === undefined ? "infinity" : `${value}`);
  const rlimits = request.rlimits.map(({ resource, soft, hard }) => `${resource}:${limit(soft)}:${limit(hard)}`);
  return {
    plain: [
      request.cwd,
      ...identityFields(request.user),
      request.stdout,
      request.stderr,
      rlimits.join(" "),
      ownGroup?.path ?? "",
      ownGroup?.at ?? "",
    ],
    counted: [...listFields(controlGroups), ...listFields(readOnly), ...programFields(request)],
  };
}

/**
 * The frame that starts a container. `mark` is written into its runtime folder. Throws a RangeError that says what
 * cannot be passed to a process.
 */
export function startFrame(
  id: string,
  folders: { readonly container: string; readonly ended: string; readonly mark: string },
  request: ProcessRequest,
): Buffer {
  const { plain, counted } = processFields(request);
  const { terminal } = request;
  const size = terminal === undefined ? "" : `${terminal.rows} ${terminal.columns}`;
  return frame(["L", id, folders.container, folders.ended, folders.mark, size, ...plain, ...counted, ""]);
}

/** The frame that runs a command to its end, within `milliseconds` (0: no limit). Throws as `startFrame`. */
export function runFrame(id: string, milliseconds: number, request: ProcessRequest): Buffer {
  const { plain, counted } = processFields(request);
  return frame(["R", id, `${Math.ceil(milliseconds)}`, ...plain, ...counted, ""]);
}

/** One line of the launcher's answers. */
export type Answer =
  | {
      readonly kind: "started";
      readonly id: string;
      readonly shim: number;
      readonly since: string;
      readonly pid: number;
    }
  | { readonly kind: "failed"; readonly id: string; readonly errno: number; readonly message: string }
  | { readonly kind: "ran"; readonly id: string; readonly status: number | "timeout" }
  | { readonly kind: "shim lost"; readonly id: string; readonly status: number };

/** undefined for a line that is none of them. */
export function parseAnswer(line: string): Answer | undefined {
  const [verb, id = "", ...rest] = line.split(" ");
  const first = Number(rest[0]);
  if (verb === "S") return { kind: "started", id, shim: first, since: rest[1] ?? "", pid: Number(rest[2]) };
  if (verb === "F") return { kind: "failed", id, errno: first, message: rest.slice(1).join(" ") };
  if (verb === "R") return { kind: "ran", id, status: rest[0] === "timeout" ? "timeout" : first };
  if (verb === "X") return { kind: "shim lost", id, status: first };
  return undefined;
}
