import { existsSync } from "node:fs";
import { UserError } from "../base/errors.ts";
import { engineAddress } from "../docker/endpoint.ts";
import { factsOf, isExecutable, programFilesOf, readConfiguration } from "./machine.ts";
import type { Paths } from "./paths.ts";
import type { Machine } from "./plan.ts";
import type { Resolution } from "./resolve.ts";
import { accountOf, passwdText } from "./write.ts";

/** Docker's socket, as the agent is going to look for it. Undefined: Docker is elsewhere, or what says where makes no sense, as the agent says. */
function socketOf({ environmentValue }: Resolution): string | undefined {
  try {
    const address = engineAddress(environmentValue);
    return address.kind === "unix" ? address.path : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** All that planning needs to know of this machine. `uid` is this process'; `documented` are other programs' variables. */
export async function lookAt(
  resolution: Resolution,
  paths: Paths,
  uid: number,
  documented: readonly string[],
): Promise<Machine> {
  const passwd = passwdText();
  const names = new Set(documented);
  const isImage = paths.root === "" && existsSync("/init.sh");
  const facts = await factsOf({ dockerSocket: socketOf(resolution), uid, isImage });
  return {
    isRoot: uid === 0,
    userExists: (name) => accountOf(passwd, name) !== undefined,
    isExecutable,
    readConfiguration,
    programFiles: programFilesOf(paths.programs),
    facts,
    isDocumented: (name) => names.has(name),
  };
}
