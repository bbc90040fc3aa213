import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { configFilesAt, leftOutWords } from "../config/config-files.ts";
import type { ProgramFile } from "./own-programs.ts";

export interface Mount {
  readonly point: string;
  readonly readOnly: boolean;
}

export type SocketState = "answers" | "absent" | "folder" | "not a socket" | "refused" | "denied";

/** What the settings are held against. */
export interface MachineFacts {
  readonly uid: number;
  /** In a container, where things are mended on Docker's command line. */
  readonly isContainer: boolean;
  readonly kindOf: (path: string) => "file" | "folder" | "socket" | "other" | undefined;
  /** The mount that holds `path`, or would if it existed. */
  readonly mountOf: (path: string) => Mount | undefined;
  /** Undefined: Docker is not looked for at a socket of this machine. */
  readonly dockerSocket: { readonly path: string; readonly state: SocketState } | undefined;
  /** Bytes; undefined without a limit. */
  readonly memoryLimit: number | undefined;
  /** Processes and threads; undefined without a limit. */
  readonly processLimit: number | undefined;
}

export const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

function kindOf(path: string): ReturnType<MachineFacts["kindOf"]> {
  try {
    const found = statSync(path);
    if (found.isDirectory()) return "folder";
    return found.isFile() ? "file" : found.isSocket() ? "socket" : "other";
  } catch {
    return undefined;
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Mounts of /proc/self/mountinfo, with octal escapes undone; later ones lie over earlier ones. */
export function mountsOf(mountinfo: string): Mount[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" "))
    .filter((fields) => fields.length > 6)
    .map((fields) => ({
      point: (fields[4] ?? "").replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
      // The mount's own options and, behind the dash, those of its file system.
      readOnly: (fields[5] ?? "").split(",").includes("ro") || (fields.at(-1) ?? "").split(",").includes("ro"),
    }));
}

/** The mount below which `path` lies. */
export function mountHolding(path: string, mounts: readonly Mount[]): Mount | undefined {
  const below = ({ point }: Mount): boolean => point === "/" || path === point || path.startsWith(`${point}/`);
  return mounts
    .filter(below)
    .reduce<Mount | undefined>(
      (best, each) => (each.point.length >= (best?.point.length ?? 0) ? each : best),
      undefined,
    );
}

/** Milliseconds that a local socket may take to take a connection. */
const SOCKET_PATIENCE = 1000;

async function socketState(path: string): Promise<SocketState> {
  const kind = kindOf(path);
  if (kind === undefined) return "absent";
  if (kind !== "socket") return kind === "folder" ? "folder" : "not a socket";
  return await new Promise((done) => {
    const socket = createConnection({ path, timeout: SOCKET_PATIENCE });
    const end = (state: SocketState): void => {
      socket.destroy();
      done(state);
    };
    socket.once("connect", () => end("answers"));
    // It takes the connection late: somebody is there.
    socket.once("timeout", () => end("answers"));
    socket.once("error", (error) => end(codeOf(error) === "EACCES" ? "denied" : "refused"));
  });
}

const numberOf = (text: string): number | undefined => {
  const value = Number(text.trim());
  // cgroup v1 writes "no limit" as a number that no machine has.
  return text.trim() === "" || !Number.isFinite(value) || value >= 2 ** 60 ? undefined : value;
};

const least = (...values: readonly (number | undefined)[]): number | undefined => {
  const found = values.filter((each) => each !== undefined);
  return found.length === 0 ? undefined : Math.min(...found);
};

/** The folder of the control group that this process is in, as this mount namespace shows it. */
const cgroupLimit = (v2: string, v1: string): number | undefined =>
  numberOf(textOf(`/sys/fs/cgroup/${v2}`)) ?? numberOf(textOf(`/sys/fs/cgroup/${v1}`));

function softLimit(name: string): number | undefined {
  return numberOf(new RegExp(`^${name}\\s+(\\S+)`, "m").exec(textOf("/proc/self/limits"))?.[1] ?? "");
}

const inContainer = (): boolean =>
  existsSync("/.dockerenv") ||
  existsSync("/run/.containerenv") ||
  /docker|kubepods|containerd|libpod/.test(textOf("/proc/1/cgroup"));

export interface LookingAt {
  /** Where Docker's socket should be, if at all. */
  readonly dockerSocket: string | undefined;
  readonly uid: number;
  /** Whether this is the image rather than `npm start` or a bare agent. */
  readonly isImage: boolean;
}

/** Looks at this machine, once. */
export async function factsOf({ dockerSocket, uid, isImage }: LookingAt): Promise<MachineFacts> {
  const mounts = mountsOf(textOf("/proc/self/mountinfo"));
  const isContainer = isImage && inContainer();
  return {
    uid,
    isContainer,
    kindOf,
    mountOf: (path) => mountHolding(path, mounts),
    dockerSocket:
      dockerSocket === undefined ? undefined : { path: dockerSocket, state: await socketState(dockerSocket) },
    memoryLimit: cgroupLimit("memory.max", "memory/memory.limit_in_bytes"),
    processLimit: least(cgroupLimit("pids.max", "pids/pids.max"), softLimit("Max processes")),
  };
}

/** Files `*.conf` of a folder. */
export function programFilesOf(folder: string): ProgramFile[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".conf"))
      .sort()
      .map((name) => ({ path: join(folder, name), text: textOf(join(folder, name)) }));
  } catch {
    return [];
  }
}

/** Content of a configuration's files as the forwarder takes them: one file, or those of a folder. Throws when there is none. */
export function readConfiguration(path: string, warn: (message: string) => void): ProgramFile[] {
  const { files, leftOut } = configFilesAt(path);
  for (const file of leftOut) warn(leftOutWords(file));
  return files.map((each) => ({ path: each, text: readFileSync(each, "utf8") }));
}

/** The nearest folder above `path` that exists. */
export function existing(path: string): string {
  return existsSync(path) || path === "/" ? path : existing(dirname(path));
}
