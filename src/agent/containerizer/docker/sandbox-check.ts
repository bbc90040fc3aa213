import { randomUUID } from "node:crypto";
import { closeSync } from "node:fs";
import type { Engine } from "../../../docker/engine.ts";
import { EngineError } from "../../../docker/errors.ts";
import { TaskFailure } from "../../model/failure.ts";
import { HeldFolder } from "../../model/held/folder.ts";

/**
 * Whether the daemon sees the same work_dir. Sandbox paths are resolved on the daemon's host: with an agent in a container
 * they are another folder there unless work_dir is mounted at the same path. Looked at once per agent.
 */
export class SandboxCheck {
  readonly #engine: Engine;
  readonly #workDir: string;
  readonly #sandboxDirectory: string;
  #seen: Promise<void> | undefined;
  #trouble: string | undefined;

  constructor(engine: Engine, workDir: string, sandboxDirectory: string) {
    this.#engine = engine;
    this.#workDir = workDir;
    this.#sandboxDirectory = sandboxDirectory;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Looks through a created container at its sandbox. Rejects with a TaskFailure when the daemon sees another folder. */
  async pass(engineId: string, sandbox: string): Promise<void> {
    this.#seen ??= this.#look(engineId, sandbox);
    try {
      await this.#seen;
    } catch (error) {
      this.#seen = undefined;
      throw error;
    }
  }

  async #look(engineId: string, sandbox: string): Promise<void> {
    if (await this.#isVisible(engineId, sandbox)) {
      this.#trouble = undefined;
      return;
    }
    this.#trouble =
      `the Docker daemon does not see the sandboxes below ${this.#workDir}: ` +
      `mount the host's folder at the same path into the agent's container (-v ${this.#workDir}:${this.#workDir})`;
    throw TaskFailure.launch(`Failed to launch container: ${this.#trouble}`);
  }

  async #isVisible(engineId: string, sandbox: string): Promise<boolean> {
    const name = `.docker-sees-this-${randomUUID()}`;
    using folder = HeldFolder.open(sandbox);
    closeSync(folder.file(name, { access: "append", create: 0o600, exclusive: true }));
    try {
      return await this.#engine.pathExists(engineId, `${this.#sandboxDirectory}/${name}`);
    } catch (error) {
      // Some daemons (Podman) cannot look into a container that was never started: then nothing is known.
      if (error instanceof EngineError && error.kind === "refused") return true;
      throw error;
    } finally {
      if (folder.look(name) !== undefined) folder.unlink(name);
    }
  }
}
