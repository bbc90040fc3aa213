import { messageOf, UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { RunDraft } from "./draft.ts";
import { networkOptions } from "./networks.ts";
import { processOptions } from "./process.ts";
import { storageOptions } from "./storage.ts";
import { plainOptions, type RunOption } from "./table.ts";

/** Every long option of `docker run` up to Docker 29, by name. */
export const runOptions: Readonly<Record<string, RunOption>> = {
  ...plainOptions,
  ...processOptions,
  ...networkOptions,
  ...storageOptions,
};

/** Options that name a file for the docker command to read, and what the file stands for. */
const fileOptions: Readonly<Record<string, (text: string) => RunParameter[]>> = {
  "env-file": (text) => fileLines(text).map((value) => ({ key: "env", value })),
  "label-file": (text) => fileLines(text).map((value) => ({ key: "label", value })),
};

export interface RunParameter {
  readonly key: string;
  readonly value: string;
}

/**
 * Applies `parameters` (DockerInfo.parameters) to a draft. An unknown option, or a value that its option does not take,
 * is a UserError that names the option. `network` goes first, since others depend on it.
 */
export function applyRunOptions(draft: RunDraft, parameters: readonly RunParameter[]): void {
  const isNetwork = ({ key }: RunParameter): boolean => key === "net" || key === "network";
  const ordered = [...parameters.filter(isNetwork), ...parameters.filter((parameter) => !isNetwork(parameter))];
  for (const { key, value } of ordered) {
    const option = Object.hasOwn(runOptions, key) ? runOptions[key] : undefined;
    if (option === undefined) {
      const guess = nearest(key, [...Object.keys(runOptions), ...Object.keys(fileOptions)]);
      const hint =
        guess === undefined ? "name a long option of docker run, without dashes" : `did you mean '${guess}'?`;
      throw new UserError(`docker parameter '${key}' is not an option of docker run`, hint);
    }
    try {
      option(draft, value);
    } catch (error) {
      throw new UserError(`docker parameter '${key}': ${messageOf(error)}`, undefined, { cause: error });
    }
  }
}

/**
 * Replaces options that name files (`env-file`, `label-file`, `security-opt seccomp=<file>`) by what is in the files.
 * `readText` resolves relative paths; its failure is a UserError that names option and file.
 */
export async function expandFiles(
  parameters: readonly RunParameter[],
  readText: (path: string) => Promise<string>,
): Promise<RunParameter[]> {
  const expanded: RunParameter[] = [];
  const read = async (key: string, path: string): Promise<string> => {
    try {
      return await readText(path);
    } catch (error) {
      throw new UserError(`docker parameter '${key}': cannot read ${path}: ${messageOf(error)}`, undefined, {
        cause: error,
      });
    }
  };
  for (const { key, value } of parameters) {
    const expand = Object.hasOwn(fileOptions, key) ? fileOptions[key] : undefined;
    const profile =
      key === "security-opt" ? /^seccomp[=:](?!unconfined$|builtin$)([^{].*)$/.exec(value)?.[1] : undefined;
    if (expand !== undefined) expanded.push(...expand(await read(key, value)));
    else if (profile !== undefined) expanded.push({ key, value: `seccomp=${await read(key, profile)}` });
    else expanded.push({ key, value });
  }
  return expanded;
}

/** Lines without comments and empty ones; a variable without value would come from the agent's environment: dropped. */
function fileLines(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.map((line) => line.trimStart()).filter((line) => line.includes("=") && !line.startsWith("#"));
}
