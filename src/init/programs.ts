import { nearest } from "../base/nearest.ts";
import { firstWord } from "./command.ts";
import type { Service } from "./services.ts";

/** What finding a program needs of the machine. */
export interface ProgramFiles {
  /** Folders that supervisord will search, in order. */
  readonly path: readonly string[];
  readonly isExecutable: (path: string) => boolean;
}

/** What could be meant by a name that is no program. */
const OURS = ["mesos-slave", "mesos-agent", "logstash-forwarder", "redpill"];

/**
 * Commands of enabled services whose program is not there. A warning at boot, because a file may yet be mounted or made; what
 * --check is asked for.
 */
export function missingPrograms(services: readonly Service[], { path, isExecutable }: ProgramFiles): string[] {
  return services.flatMap(({ name, enabled, command, own }) => {
    const program = firstWord(command);
    // What supervisord fills in is not known yet.
    if (!enabled || own !== undefined || program === "" || /%\(/.test(program)) return [];
    const places = program.includes("/") ? [program] : path.map((folder) => `${folder}/${program}`);
    if (places.some(isExecutable)) return [];
    const near = program.includes("/") ? undefined : nearest(program, OURS);
    const hint = near === undefined ? "" : `: did you mean ${near}?`;
    const where = program.includes("/") ? "is not an executable file" : "is not in PATH";
    return [`the command of ${name} names ${program}, which ${where}${hint}`];
  });
}
