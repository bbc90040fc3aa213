import { compareApi } from "./api-version.ts";
import type { TerminalSize } from "./engine.ts";

interface Exec {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string | undefined;
}

/** What a command inside a container is created with, at a daemon of API `api`: variables are said by `env` before 1.25. */
export function execBody({ argv, environment, user }: Exec, api: string) {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const withEnv = compareApi(api, "1.25") >= 0;
  return {
    Cmd: withEnv || variables.length === 0 ? argv : ["env", ...variables, ...argv],
    AttachStdout: true,
    AttachStderr: true,
    ...(withEnv && variables.length > 0 ? { Env: variables } : {}),
    ...(user === undefined ? {} : { User: user }),
  };
}

/** The size that a terminal begins with, where a start takes one (API 1.42). */
export function consoleSize(size: TerminalSize | undefined, api: string): { readonly ConsoleSize?: [number, number] } {
  const isSaid = size !== undefined && size.rows > 0 && size.columns > 0;
  return isSaid && compareApi(api, "1.42") >= 0 ? { ConsoleSize: [size.rows, size.columns] } : {};
}
