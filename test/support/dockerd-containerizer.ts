import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerContainerizer } from "../../src/agent/containerizer/docker/containerizer.ts";
import type { DockerContainerizerOptions } from "../../src/agent/containerizer/docker/options.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import type { TestDockerd } from "./dockerd.ts";

/** A logger that keeps its lines. */
export function keepingLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (line: string): void => void lines.push(line);
  return { ...silentLogger, lines, info: add, warn: add, error: add, named: () => silentLogger };
}

export const newWorkDir = (): Promise<string> => mkdtemp(join(tmpdir(), "docker-work-"));

/** A containerizer as the agent opens it, for a work_dir. */
export function openContainerizer(
  dockerd: Pick<TestDockerd, "engine">,
  workDir: string,
  options: Partial<DockerContainerizerOptions> = {},
): Promise<DockerContainerizer> {
  return DockerContainerizer.open({
    engine: dockerd.engine(),
    workDir,
    stateDirectory: join(workDir, "docker"),
    agent: { id: "S1" },
    clock: systemClock,
    log: silentLogger,
    ...options,
  });
}

/** Polls until `probe` is true. */
export async function until(
  what: string,
  probe: () => Promise<boolean> | boolean,
  milliseconds = 60_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
