import { isIPv4 } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ShutdownMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import type { ClusterStatusSchema, Schedule, Window } from "../mesos/gen/mesos/v1/maintenance/maintenance_pb.ts";
import type { AgentInfo, MachineID, Unavailability } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Agents } from "./agents.ts";
import type { Cluster } from "./cluster.ts";
import { type Outcome, outcome } from "./negotiation.ts";

/** A machine that somebody plans to work on; those that nobody plans for are not here. */
export interface Machine {
  readonly id: MachineID;
  readonly unavailability: Unavailability;
  /** Its agents are shut down and may not come back. */
  isDown: boolean;
}

/** Host names are the same in large and small letters. Host name and address together name a machine, as in Mesos. */
const keyOf = ({ hostname, ip }: { readonly hostname: string; readonly ip: string }): string =>
  `${hostname.toLowerCase()}\n${ip}`;

/** The key of the machine that an agent is on. */
export const machineOf = (info: Pick<AgentInfo, "hostname">, ip: string): string =>
  keyOf({ hostname: info.hostname, ip });

const named = ({ hostname, ip }: MachineID): string => JSON.stringify({ hostname, ip });

function* machinesProblems(ids: readonly MachineID[], seen: Set<string>): Generator<string> {
  for (const id of ids) {
    if (id.hostname === "" && id.ip === "") yield "Both 'hostname' and 'ip' for a machine are empty";
    else if (id.ip !== "" && !isIPv4(id.ip)) yield `Failed to parse the IP '${id.ip}'`;
    if (seen.has(keyOf(id))) yield `Machine '${named(id)}' appears more than once in the schedule`;
    seen.add(keyOf(id));
  }
}

function* scheduleProblems(windows: readonly Window[], down: readonly Machine[]): Generator<string> {
  const seen = new Set<string>();
  for (const { machineIds, unavailability } of windows) {
    if (machineIds.length === 0) yield "List of machines in the maintenance window is empty";
    if ((unavailability?.duration?.nanoseconds ?? 0n) < 0n) yield "Unavailability 'duration' is negative";
    yield* machinesProblems(machineIds, seen);
  }
  for (const { id } of down)
    if (!seen.has(keyOf(id))) yield `Machine '${named(id)}' is deactivated and cannot be removed from the schedule`;
}

/**
 * Planned maintenance: offers of a machine in the schedule say when it will be away; a machine that is taken down has no agents
 * until it is brought up. There are no inverse offers: frameworks are told by their offers only.
 */
export class Maintenance {
  readonly #cluster: Cluster;
  readonly #agents: Agents;
  #windows: readonly Window[] = [];

  constructor(cluster: Cluster, agents: Agents) {
    this.#cluster = cluster;
    this.#agents = agents;
  }

  /** GET_MAINTENANCE_SCHEDULE */
  get windows(): Window[] {
    return [...this.#windows];
  }

  /** GET_MAINTENANCE_STATUS */
  get status(): MessageInitShape<typeof ClusterStatusSchema> {
    const all = [...this.#cluster.machines.values()];
    return {
      drainingMachines: all.filter(({ isDown }) => !isDown).map(({ id }) => ({ id })),
      downMachines: all.filter(({ isDown }) => isDown).map(({ id }) => id),
    };
  }

  /** UPDATE_MAINTENANCE_SCHEDULE: replaces the one that there is. */
  update({ windows }: Schedule): Outcome {
    const { machines, context } = this.#cluster;
    const down = [...machines.values()].filter(({ isDown }) => isDown);
    const [problem] = scheduleProblems(windows, down);
    if (problem !== undefined) return outcome(400, problem);
    const before = new Map(machines);
    machines.clear();
    for (const { machineIds, unavailability } of windows)
      for (const id of machineIds) {
        const isDown = before.get(keyOf(id))?.isDown ?? false;
        if (unavailability !== undefined) machines.set(keyOf(id), { id, unavailability, isDown });
      }
    this.#windows = windows;
    context.log.info(`Maintenance is planned for ${machines.size} machine(s)`);
    this.#cluster.offerAnew();
    return outcome(200);
  }

  /** START_MAINTENANCE: machines of the schedule go down, and their agents with them. */
  start(ids: readonly MachineID[]): Outcome {
    const found = this.#planned(ids, false);
    if ("status" in found) return found;
    for (const machine of found) {
      machine.isDown = true;
      for (const agent of [...this.#cluster.agents.values()]) {
        if (machineOf(agent.info, agent.pid.ip) !== keyOf(machine.id)) continue;
        const message = "Operator initiated 'Machine DOWN'";
        this.#cluster.context.process.send(
          agent.pid,
          ShutdownMessageSchema,
          create(ShutdownMessageSchema, { message }),
        );
        this.#agents.remove(agent, message, "disconnected");
      }
    }
    return outcome(200);
  }

  /** STOP_MAINTENANCE: machines are up again, and no longer in the schedule. */
  stop(ids: readonly MachineID[]): Outcome {
    const found = this.#planned(ids, true);
    if ("status" in found) return found;
    const up = new Set(found.map(({ id }) => keyOf(id)));
    for (const key of up) this.#cluster.machines.delete(key);
    const left = this.#windows.map((window) => ({
      ...window,
      machineIds: window.machineIds.filter((id) => !up.has(keyOf(id))),
    }));
    this.#windows = left.filter(({ machineIds }) => machineIds.length > 0);
    return outcome(200);
  }

  /** The machines of these ids, all of them up to now down (`areDown`) or none; or what refuses them. */
  #planned(ids: readonly MachineID[], areDown: boolean): Machine[] | Outcome {
    if (ids.length === 0) return outcome(400, "List of machines is empty");
    const [problem] = machinesProblems(ids, new Set());
    if (problem !== undefined) return outcome(400, problem);
    const found: Machine[] = [];
    for (const id of ids) {
      const machine = this.#cluster.machines.get(keyOf(id));
      if (machine === undefined) return outcome(400, `Machine '${named(id)}' is not part of a maintenance schedule`);
      if (machine.isDown !== areDown)
        return outcome(
          400,
          areDown
            ? `Machine '${named(id)}' is not in DOWN mode and cannot be brought up`
            : `Machine '${named(id)}' is not in DRAINING mode and cannot be brought down`,
        );
      found.push(machine);
    }
    return found;
  }
}
