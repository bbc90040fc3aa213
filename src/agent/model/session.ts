import type { Readable, Writable } from "node:stream";
import type { CommandInfo, ContainerInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "./container.ts";
import type { ContainerChain } from "./nested.ts";

/** Of a terminal, in characters; 0: not said. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** A process that somebody wants in a running container, to speak with it. */
export interface SessionOrder {
  readonly chain: ContainerChain;
  readonly command: CommandInfo | undefined;
  /** Its `tty_info` is the wish for a terminal. */
  readonly container: ContainerInfo | undefined;
}

/** The process of a session, with what it reads and writes. */
export interface SessionProcess {
  readonly hasTerminal: boolean;
  readonly input: Writable;
  readonly stdout: Readable;
  /** undefined: with a terminal there is one output. */
  readonly stderr: Readable | undefined;
  resize(size: WindowSize): void;
  signal(signal: number): void;
  /** Ends everything of it. */
  kill(): void;
  /** When everything of it has ended. */
  readonly termination: Promise<ContainerTermination>;
}

/** Who reads a session's output. */
export interface SessionReader {
  /** Resolves when more may come. Nothing more is read of the process before all readers have taken what was. */
  data(stream: "stdout" | "stderr", piece: Buffer): Promise<void> | undefined;
  /** All of it was said. */
  end(): void;
  /** It is let go before that. */
  lost(): void;
}

/** A process in a container that clients speak with. */
export interface Session {
  readonly hasTerminal: boolean;
  /** From now on. The function that it returns lets go. */
  attach(reader: SessionReader): () => void;
  /** The one who may write; undefined: somebody has that right. The function that it returns gives it back. */
  takeInput(): (() => void) | undefined;
  /** Resolves when more may be written; at once when nobody reads any more. */
  write(data: Uint8Array): Promise<void>;
  /** Nothing more will be written. Of a terminal nothing is closed. */
  endInput(): void;
  resize(size: WindowSize): void;
  kill(): void;
  /** When it has ended and every reader has all of its output. */
  readonly ended: Promise<ContainerTermination>;
}

/** What a container's own process says, for one reader. */
export interface OutputAttachment extends Pick<Session, "attach"> {
  /** Lets go, be it before anybody was attached. */
  leave(): void;
}

/** What is written to a container's own process. */
export interface InputAttachment
  extends Pick<Session, "hasTerminal" | "takeInput" | "write" | "endInput" | "resize" | "ended"> {
  leave(): void;
}

/** Sessions in running containers. */
export interface Sessions {
  /** `already`: there is a container by this id. Rejects with a TaskFailure or a UserError that says why it cannot be. */
  open(order: SessionOrder): Promise<Session | "already">;
  /** undefined: no session has this id, or it is over. */
  of(chain: ContainerChain): Session | undefined;
  /** Of a container that is no session. undefined: it has nothing to attach to. Rejects with a UserError that says why not. */
  attachOutput?(chain: ContainerChain): Promise<OutputAttachment | undefined>;
  attachInput?(chain: ContainerChain): Promise<InputAttachment | undefined>;
}
