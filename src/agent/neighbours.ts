import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { Supervisor } from "../supervisor/supervisor.ts";
import { forwarderStatus } from "./forwarder-status.ts";
import type { NeighbourFacts } from "./http/view.ts";

/** Milliseconds for supervisord's answer: it is on the same machine. */
const DEADLINE = 2_000;
const LONGEST_VERDICT = 1_000;

/**
 * What runs beside the agent in its container, as supervisord says in the environment that it gives its programs; nothing
 * where the agent was started in another way.
 */
export function neighboursOf(
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
): () => Promise<NeighbourFacts> {
  const socket = /^unix:\/\/(\/.+)$/.exec(environment["SUPERVISOR_SERVER_URL"] ?? "")?.[1];
  if (socket === undefined) return async () => ({ services: [] });
  const supervisor = new Supervisor(socket, clock, DEADLINE);
  const verdictFile = join(dirname(socket), "redpill.verdict");
  const configurations = join(dirname(socket), "logstash-forwarder");
  return async () => {
    const [services, verdict, forwarder] = await Promise.all([
      servicesOf(supervisor, socket),
      verdictIn(verdictFile),
      forwarderStatus(configurations),
    ]);
    return {
      ...services,
      ...(verdict !== undefined && { verdict }),
      ...(forwarder !== undefined && { forwarder }),
    };
  };
}

async function servicesOf(supervisor: Supervisor, socket: string): Promise<NeighbourFacts> {
  if (!existsSync(socket)) return { services: [] };
  try {
    const processes = await supervisor.processes();
    const services = processes.map(({ name, state, start, exitStatus, spawnError }) => ({
      name,
      state,
      start,
      exitStatus,
      problem: spawnError,
    }));
    return { services };
  } catch (error) {
    return { services: [], servicesProblem: messageOf(error) };
  }
}

/** `70 mesos entered the FATAL state`: why redpill ends the container. */
async function verdictIn(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim().slice(0, LONGEST_VERDICT) || undefined;
}
