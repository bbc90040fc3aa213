import { createServer } from "node:net";
import { UserError } from "../../base/errors.ts";

export interface Ports {
  readonly agent: number;
  /** Of the development master; undefined when another master is joined. */
  readonly master: number | undefined;
}

export const DEFAULT_AGENT_PORT = 5051;
export const DEFAULT_MASTER_PORT = 5050;

/** The port that a variable names; `otherwise` when it is not set. */
export function portOf(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined || value === "") return otherwise;
  if (/^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65_535) return Number(value);
  throw new UserError(`${name}=${value} is no port`, "give a number from 1 to 65535");
}

/** Whether nobody listens on this port of `host`. */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ host, port }, () => server.close(() => done(true)));
  });
}

type Free = (port: number) => Promise<boolean>;

/** How far above the first one a free port is looked for, to be named. */
const NEAR = 100;

async function firstFree(from: number, not: readonly number[], free: Free): Promise<number> {
  for (let port = from; port < from + NEAR; port++) if (!not.includes(port) && (await free(port))) return port;
  return from;
}

/** A command that would work now: every port in it is free. */
async function wayOut(ports: Ports, agentTaken: boolean, masterTaken: boolean, free: Free): Promise<string> {
  const agent = agentTaken ? await firstFree(5052, [ports.master ?? 0], free) : ports.agent;
  const words = agent === DEFAULT_AGENT_PORT ? [] : [`MESOS_PORT=${agent}`];
  if (ports.master === undefined) return [...words, "npm start"].join(" ");
  const master = masterTaken ? await firstFree(5060, [agent], free) : ports.master;
  if (master !== DEFAULT_MASTER_PORT) words.push(`MESOS_MASTER_PORT=${master}`);
  return [...words, "npm start"].join(" ");
}

/**
 * Throws when a port is taken: names it, who could be asked, and the command that works instead. `host` is where they will be
 * bound.
 */
export async function ensureFree(ports: Ports, host: string, free: Free = (port) => isFree(host, port)): Promise<void> {
  if (ports.agent === ports.master)
    throw new UserError(`MESOS_PORT and MESOS_MASTER_PORT are both ${ports.agent}`, "give them different ports");
  const agentTaken = !(await free(ports.agent));
  const masterTaken = ports.master !== undefined && !(await free(ports.master));
  if (!agentTaken && !masterTaken) return;
  const taken = agentTaken ? ports.agent : (ports.master ?? 0);
  const join = masterTaken
    ? `, or join the master there: ${agentTaken ? `MESOS_PORT=${await firstFree(5052, [], free)} ` : ""}MESOS_MASTER=${host}:${ports.master} npm start`
    : "";
  throw new UserError(
    `port ${taken} of ${host} is taken`,
    `is a node running already? Stop what listens there (ss -ltnp 'sport = :${taken}'), ` +
      `or take another: ${await wayOut(ports, agentTaken, masterTaken, free)}${join}`,
  );
}
