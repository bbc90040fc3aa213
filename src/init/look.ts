import { existsSync } from "node:fs";
import { factsOf, isExecutable, programFilesOf, readConfiguration } from "./machine.ts";
import type { Paths } from "./paths.ts";
import type { Machine } from "./plan.ts";
import type { Resolution } from "./resolve.ts";
import { accountOf, passwdText } from "./write.ts";

/** Where Docker's socket is when nothing says otherwise. */
const DOCKER_SOCKET = "/var/run/docker.sock";

/** All that planning needs to know of this machine. `uid` is this process'; `documented` are other programs' variables. */
export async function lookAt(
  resolution: Resolution,
  paths: Paths,
  uid: number,
  documented: readonly string[],
): Promise<Machine> {
  const passwd = passwdText();
  const names = new Set(documented);
  const socket = (resolution.environmentValue("MESOS_DOCKER_SOCKET") || DOCKER_SOCKET).replace(/^unix:\/\//, "");
  const isElsewhere = /^(tcp|ssh|https?):/.test(resolution.environmentValue("DOCKER_HOST") ?? "");
  const facts = await factsOf({ dockerSocket: socket, uid, isImage: paths.root === "" && existsSync("/init.sh") });
  return {
    isRoot: uid === 0,
    userExists: (name) => accountOf(passwd, name) !== undefined,
    isExecutable,
    readConfiguration,
    programFiles: programFilesOf(paths.programs),
    facts: isElsewhere ? { ...facts, dockerSocket: { path: socket, state: "answers" } } : facts,
    isDocumented: (name) => names.has(name),
  };
}
