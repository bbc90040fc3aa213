import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../../../base/clock.ts";
import { within } from "../../../../base/deadline.ts";
import { messageOf, UserError } from "../../../../base/errors.ts";
import type { Logger } from "../../../../base/log.ts";
import type { Engine } from "../../../../docker/engine.ts";
import { outputsOf } from "../../../../docker/output-streams.ts";
import type { ContainerTermination } from "../../../model/container.ts";
import type { InputAttachment, OutputAttachment, SessionReader } from "../../../model/session.ts";
import { writeTo } from "../../sessions/session.ts";

/** A task's own container, with what is known of it. */
export interface AttachedContainer {
  readonly containerId: string;
  readonly engineId: string;
  readonly tty: boolean;
  readonly readsInput: boolean;
  readonly over: Promise<ContainerTermination>;
}

export interface AttachmentHost {
  readonly engine: Pick<Engine, "connect" | "resize">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds that somebody who reads nothing may hold up a task: Docker makes it wait for the slowest who is attached. */
const PATIENCE = 10_000;

/** What a task's own container says from now on, for one reader. Rejects with an EngineError. */
export async function attachOutput(container: AttachedContainer, host: AttachmentHost): Promise<OutputAttachment> {
  const { engine, clock, log } = host;
  const connection = await engine.connect(container.engineId, "output");
  const outputs = outputsOf(connection, container.tty);
  const leave = (): void => {
    for (const stream of [connection, outputs.stdout, outputs.stderr]) stream?.destroy();
  };
  const pass = async (reader: SessionReader, output: Readable, name: "stdout" | "stderr"): Promise<void> => {
    for await (const piece of output as AsyncIterable<Buffer>) {
      const taken = reader.data(name, piece);
      if (taken === undefined) continue;
      if ((await within(clock, PATIENCE, taken, "late" as const)) !== "late") continue;
      log.info(`Somebody attached to ${container.containerId} reads nothing: let go, because the task waits for it`);
      throw new UserError("it reads nothing");
    }
  };
  return {
    attach: (reader) => {
      const { stdout, stderr } = outputs;
      Promise.all([pass(reader, stdout, "stdout"), stderr && pass(reader, stderr, "stderr")]).then(
        () => reader.end(),
        () => {
          leave();
          reader.lost();
        },
      );
      return leave;
    },
    leave,
  };
}

/** What is written to a task's own container. Throws a UserError for one that reads nothing; rejects with an EngineError. */
export async function attachInput(
  container: AttachedContainer,
  writers: Set<string>,
  { engine, log }: AttachmentHost,
): Promise<InputAttachment> {
  const { containerId, engineId, tty } = container;
  if (!container.readsInput)
    throw new UserError(
      `Container ${containerId} reads no input: its task has neither tty_info nor the parameter 'interactive'`,
    );
  const connection: Writable = await engine.connect(engineId, "input");
  // Nothing comes back on it but its end.
  (connection as unknown as Readable).resume();
  return {
    hasTerminal: tty,
    takeInput: () => {
      if (writers.has(containerId)) return undefined;
      writers.add(containerId);
      return () => void writers.delete(containerId);
    },
    write: (data) => writeTo(connection, data),
    endInput: () => {
      if (!tty) connection.end();
    },
    resize: (size) => {
      engine.resize(engineId, size).catch((error: unknown) => {
        log.verbose(1, `The terminal of ${containerId} keeps its size: ${messageOf(error)}`);
      });
    },
    ended: container.over,
    leave: () => void connection.destroy(),
  };
}
