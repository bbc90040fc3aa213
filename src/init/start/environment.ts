import { existsSync } from "node:fs";
import { delimiter, dirname, join, sep } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** What npm and tools/run.cjs put in front of a script's PATH: of this package, of the folders above it, and npm's own. */
function isOfNpm(folder: string, packageFolder: string): boolean {
  if (folder.endsWith(join(sep, "@npmcli", "run-script", "lib", "node-gyp-bin"))) return true;
  if (folder.startsWith(join(packageFolder, "node_modules", "node-linux-"))) return true;
  for (let above = packageFolder; ; above = dirname(above)) {
    if (folder === join(above, "node_modules", ".bin")) return true;
    if (above === dirname(above)) return false;
  }
}

/**
 * The environment as it was before npm ran the script: a task sees the machine's own node, and no word of npm.
 * `packageFolder` is the package whose script runs.
 */
export function withoutNpm(environment: Environment, packageFolder: string): Record<string, string> {
  const underNpm = environment["npm_lifecycle_event"] !== undefined;
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || /^npm_/i.test(name)) continue;
    if (underNpm && ["INIT_CWD", "NODE", "COLOR"].includes(name)) continue;
    if (underNpm && name === "EDITOR" && value === environment["npm_config_editor"]) continue;
    kept[name] = value;
  }
  const path = (kept["PATH"] ?? "").split(delimiter).filter((folder) => !isOfNpm(folder, packageFolder));
  return { ...kept, PATH: path.join(delimiter) };
}

/** Whether a program of that name lies in a folder of PATH. */
export function onPath(program: string, environment: Environment): boolean {
  return (environment["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** The host that a master's address names first; a zk:// url may name several. */
const firstHost = (master: string): string =>
  /^(?:\w+:\/\/)?(?:[^@/]*@)?(\[[^\]]*\]|[^:/,]*)/.exec(master)?.[1]?.toLowerCase() ?? "";

/**
 * Where the agent listens, for masters on this machine: loopback. A master elsewhere must be able to connect back, so there
 * the agent chooses its address itself, as it does in the image.
 */
export function addressFor(master: string | undefined, environment: Environment): Record<string, string> {
  const host = firstHost(master ?? "local");
  const isHere = host === "local" || host === "localhost" || host === "[::1]" || host.startsWith("127.");
  if (!isHere) return {};
  return {
    MESOS_IP: environment["MESOS_IP"] ?? "127.0.0.1",
    MESOS_HOSTNAME: environment["MESOS_HOSTNAME"] ?? "127.0.0.1",
  };
}
