import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { parseImage } from "../../../docker/image-reference.ts";
import {
  type AskHelper,
  findCredential,
  parseRegistryConfig,
  type RegistryConfig,
  registryAuthHeader,
} from "../../../docker/registry-auth.ts";
import { HeldFolder } from "../../model/held/folder.ts";

const LARGEST = 1024 * 1024;
const NAMES = [".docker/config.json", ".dockercfg"] as const;

export interface CredentialSources {
  /** `--docker_config`, its JSON text. */
  readonly dockerConfig: string | undefined;
  /** The agent's home folder: credentials baked into the image. */
  readonly home: string | undefined;
  readonly askHelper: AskHelper;
}

/**
 * The value of X-Registry-Auth for an image, from the first of these that knows its registry: `.docker/config.json` and
 * `.dockercfg` in the sandbox (fetched URIs), `--docker_config`, the same two files in the agent's home folder.
 * Undefined: nobody does, the pull is anonymous. A damaged file is named in the log and skipped.
 */
export async function registryAuth(
  image: string,
  sandbox: string,
  sources: CredentialSources,
  log: Logger,
): Promise<string | undefined> {
  const { registry } = parseImage(image);
  for await (const { config, where } of configs(sandbox, sources, log)) {
    try {
      const credential = await findCredential(config, registry, sources.askHelper);
      if (credential !== undefined) {
        log.info(`Credentials for ${registry} from ${where}`);
        return registryAuthHeader(credential);
      }
    } catch (error) {
      log.warn(`Credentials for ${registry} in ${where} cannot be used: ${messageOf(error)}`);
    }
  }
  return undefined;
}

async function* configs(
  sandbox: string,
  { dockerConfig, home }: CredentialSources,
  log: Logger,
): AsyncGenerator<{ config: RegistryConfig; where: string }> {
  const parse = (text: string, where: string): { config: RegistryConfig; where: string }[] => {
    try {
      return [{ config: parseRegistryConfig(text, where), where }];
    } catch (error) {
      log.warn(messageOf(error));
      return [];
    }
  };
  const inFolder = async (
    folder: string,
    read: typeof readInSandbox,
  ): Promise<{ config: RegistryConfig; where: string }[]> => {
    const found = [];
    for (const name of NAMES) {
      const path = join(folder, name);
      const text = await read(folder, name).catch((error) => {
        log.warn(`Cannot read ${path}: ${messageOf(error)}`);
        return undefined;
      });
      if (text !== undefined) found.push(...parse(text, path));
    }
    return found;
  };
  // A task may have put a link in its sandbox; the image that the agent came with is trusted.
  yield* await inFolder(sandbox, readInSandbox);
  if (dockerConfig !== undefined) yield* parse(dockerConfig, "--docker_config");
  if (home !== undefined) yield* await inFolder(home, readAtHome);
}

/** A file's text from a folder that a task may change: no folder on the way is a link. Undefined when there is none. */
async function readInSandbox(sandbox: string, way: string): Promise<string | undefined> {
  try {
    using root = HeldFolder.open(sandbox);
    using folder = root.walk(dirname(way));
    return folder.read(basename(way), LARGEST).toString("utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A file's text from the agent's own home. More than 1 MB is refused. Undefined when there is none. */
async function readAtHome(home: string, way: string): Promise<string | undefined> {
  try {
    const handle = await open(join(home, way), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      if (size > LARGEST) throw new Error(`it has ${size} bytes, more than ${LARGEST}`);
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
