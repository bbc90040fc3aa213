import { basename } from "node:path";
import type { ServiceName } from "./services.ts";
import { WRITTEN_BY_INIT } from "./supervisor-conf.ts";

export interface ProgramFile {
  readonly path: string;
  readonly text: string;
}

/** What the user's own files below conf.d define. */
export interface OwnPrograms {
  /** Services of ours that a file of the user's defines instead: that file stays, and ours is not written. */
  readonly instead: ReadonlyMap<ServiceName, string>;
  /** As supervisord will know them: `program`, `group:program`. */
  readonly names: readonly string[];
  /** Seconds that each program or listener may take to stop: supervisord's stopwaitsecs, 10 where nothing is said. */
  readonly stopWaits: ReadonlyMap<string, number>;
}

const SECTION = /^\[(program|eventlistener|fcgi-program|group):([^\]]+)\]\s*$/;
const DEFAULT_STOP_WAIT = 10;

/** Reads what is needed of `conf.d/*.conf`; files that init wrote at an earlier start are not the user's. */
export function ownPrograms(files: readonly ProgramFile[], services: readonly ServiceName[]): OwnPrograms {
  const instead = new Map<ServiceName, string>();
  const stopWaits = new Map<string, number>();
  const members = new Map<string, readonly string[]>();
  for (const { path, text } of files) {
    if (text.startsWith(WRITTEN_BY_INIT)) continue;
    let [kind, name] = ["", ""];
    const found = new Set([basename(path, ".conf")]);
    for (const line of text.split(/\r?\n/)) {
      const section = SECTION.exec(line);
      if (section !== null) {
        [kind, name] = [section[1] ?? "", (section[2] ?? "").trim()];
        if (kind === "group") members.set(name, []);
        else stopWaits.set(name, DEFAULT_STOP_WAIT);
        found.add(name);
      } else if (line.startsWith("[")) [kind, name] = ["", ""];
      const [, key, value = ""] = /^(\w+)\s*=\s*(.*?)(?:\s+;.*)?$/.exec(line) ?? [];
      if (kind === "group" && key === "programs")
        members.set(
          name,
          value.split(",").map((each) => each.trim()),
        );
      else if (kind !== "" && key === "stopwaitsecs") stopWaits.set(name, Number(value) || 0);
    }
    for (const service of services) if (found.has(service) && !instead.has(service)) instead.set(service, path);
  }
  const groupOf = new Map([...members].flatMap(([group, names]) => names.map((name) => [name, group] as const)));
  const names = [...stopWaits.keys()].map((name) => (groupOf.has(name) ? `${groupOf.get(name)}:${name}` : name));
  return { instead, names, stopWaits };
}
