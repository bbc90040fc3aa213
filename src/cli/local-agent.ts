import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface LocalAgent {
  /** `host:port` */
  readonly address: string;
  readonly isSecured: boolean;
}

const DEFAULT_PORT = "5051";

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

/**
 * Where this node's agent answers. In the container the agent itself has written it down (as for the HEALTHCHECK; before that, init
 * what it will be); elsewhere the environment says it as it does to the agent.
 */
export function localAgent(environment: Readonly<Record<string, string | undefined>>): LocalAgent {
  const root = environment["INIT_ROOT"];
  if (root !== undefined) {
    const [host, port, scheme] = linesOf(join(root, "/run/agent"));
    if (host && port) return { address: `${host}:${port}`, isSecured: scheme === "tls" };
    const [plannedHost, plannedPort, , plannedScheme] = linesOf(join(root, "/run/health"));
    if (plannedHost && plannedPort)
      return { address: `${plannedHost}:${plannedPort}`, isSecured: plannedScheme === "tls" };
  }
  const given = (name: string): string | undefined => environment[`MESOS_${name}`] || environment[`LIBPROCESS_${name}`];
  const ip = given("IP") ?? "127.0.0.1";
  const isSecured = /^(1|true)$/.test(environment["LIBPROCESS_SSL_ENABLED"] || environment["SSL_ENABLED"] || "");
  return { address: `${ip === "0.0.0.0" ? "127.0.0.1" : ip}:${given("PORT") ?? DEFAULT_PORT}`, isSecured };
}
