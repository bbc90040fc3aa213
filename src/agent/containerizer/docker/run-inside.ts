import { readFile } from "node:fs/promises";
import type { Engine } from "../../../docker/engine.ts";
import { has } from "../../../mesos/codec.ts";
import type { CommandInfo } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../../mesos/secrets.ts";
import type { CommandResult } from "../../model/container.ts";

/** The argument vector of a command inside a container, as Mesos gave it to `docker exec` (§5.13). */
export function execArguments(command: CommandInfo): string[] {
  if (command.shell) return ["sh", "-c", command.value];
  return [...(has(command, "value") ? [command.value] : []), ...command.arguments];
}

/**
 * Runs `command` inside the container. Rejects when it does not end within `timeout` milliseconds, having killed it
 * where its process can be seen from here.
 */
export async function runInside(
  engine: Engine,
  engineId: string,
  command: CommandInfo,
  timeout: number,
): Promise<CommandResult> {
  const environment = variablesOf(command.environment);
  const { exitCode, pid } = await engine.exec(engineId, { argv: execArguments(command), environment, timeout });
  if (exitCode !== undefined) return { exitCode };
  if (pid !== undefined) await killInside(pid, engineId);
  throw new Error(`the command did not end within ${timeout / 1000} s`);
}

/** Kills a process of the container if, seen from our pid namespace, the process is really one of that container. */
async function killInside(pid: number, engineId: string): Promise<void> {
  const cgroup = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  if (!cgroup.includes(engineId)) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime.
  }
}
