import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** What tools/build.ts writes into a bundle; sources have none of it. */
declare const BUILD_VERSION: string | undefined;
declare const BUILD_SECONDS: number | undefined;

export interface Release {
  /** Of this project. */
  readonly version: string;
  /** When it was built, in milliseconds since the epoch; for sources, when they were put here. */
  readonly builtAt: number;
}

function fromSources(): Release {
  const manifest = join(import.meta.dirname, "../../package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return { version, builtAt: Math.floor(statSync(manifest).mtimeMs / 1000) * 1000 };
}

let known: Release | undefined;

/** This project's own version and the time of its build. */
export function release(): Release {
  known ??=
    typeof BUILD_VERSION === "undefined" || typeof BUILD_SECONDS === "undefined"
      ? fromSources()
      : { version: BUILD_VERSION, builtAt: BUILD_SECONDS * 1000 };
  return known;
}

/** `2015-09-10 09:23:16`, in UTC. */
const dateText = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ");

/** What `--version` prints, and the log's first line: this project's version, and the Mesos whose protocol it speaks. */
export const versionLine = (program: string, mesosVersion: string): string =>
  `${program} ${release().version} (Mesos ${mesosVersion}), built ${dateText(release().builtAt)}`;
