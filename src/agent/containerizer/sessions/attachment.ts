import { type Duplex, finished, type Readable } from "node:stream";
import type { Clock } from "../../../base/clock.ts";
import { within } from "../../../base/deadline.ts";
import { UserError } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { ContainerTermination } from "../../model/container.ts";
import type { InputAttachment, OutputAttachment, SessionReader, WindowSize } from "../../model/session.ts";

/** Milliseconds that somebody who reads nothing may hold up a task, which waits for the slowest who is attached; or a task its writer's end. */
const PATIENCE = 10_000;

export interface AttachedOutput {
  readonly containerId: string;
  /** Of this reader alone. */
  readonly connection: Duplex;
  readonly stdout: Readable;
  /** undefined: with a terminal there is one output. */
  readonly stderr: Readable | undefined;
}

/** What a task's own container says from now on, for one reader. */
export function outputAttachment(
  { containerId, connection, stdout, stderr }: AttachedOutput,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): OutputAttachment {
  const leave = (): void => {
    for (const stream of [connection, stdout, stderr]) stream?.destroy();
  };
  const pass = async (reader: SessionReader, output: Readable, name: "stdout" | "stderr"): Promise<void> => {
    for await (const piece of output as AsyncIterable<Buffer>) {
      const taken = reader.data(name, piece);
      if (taken === undefined) continue;
      if ((await within(clock, PATIENCE, taken, "late" as const)) !== "late") continue;
      log.info(`Somebody attached to ${containerId} reads nothing: let go, because the task waits for it`);
      throw new UserError("it reads nothing");
    }
  };
  return {
    attach: (reader) => {
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

export interface AttachedInput {
  readonly clock: Clock;
  readonly containerId: string;
  /** Of this writer alone. */
  readonly connection: Duplex;
  readonly hasTerminal: boolean;
  readonly write: (data: Uint8Array) => Promise<void>;
  readonly resize: (size: WindowSize) => void;
  /** The container's. */
  readonly ended: Promise<ContainerTermination>;
  /** Containers that somebody writes to: one at a time. */
  readonly writers: Set<string>;
}

/** What is written to a task's own container. */
export function inputAttachment({ clock, containerId, writers, connection, ...input }: AttachedInput): InputAttachment {
  const { hasTerminal, write, resize, ended } = input;
  // Nothing comes back on it but its end.
  connection.resume();
  return {
    ...{ hasTerminal, write, resize, ended },
    takeInput: () => {
      if (writers.has(containerId)) return undefined;
      writers.add(containerId);
      return () => void writers.delete(containerId);
    },
    // Of a terminal nothing is closed.
    endInput: () => {
      if (!hasTerminal) connection.end();
    },
    leave: () => {
      connection.end();
      const isWritten = new Promise<void>((resolve) => void finished(connection, { readable: false }, () => resolve()));
      void within(clock, PATIENCE, isWritten, undefined).then(() => connection.destroy());
    },
  };
}
