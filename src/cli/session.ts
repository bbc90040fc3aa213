import { PassThrough } from "node:stream";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Clock, every, type Timer } from "../base/clock.ts";
import { millisecondsOf, nanosecondsOf } from "../base/duration.ts";
import { messageOf, UserError } from "../base/errors.ts";
import type { HttpPeer, Reply } from "../client/peer.ts";
import { decode, encode } from "../mesos/codec.ts";
import { type ContainerChain, containerIdOf } from "../mesos/container-chain.ts";
import {
  Call_AttachContainerInput_Type,
  Call_Type,
  CallSchema,
  type ProcessIO,
  ProcessIO_Control_Type,
  ProcessIO_Data_Type,
  ProcessIO_Type,
  ProcessIOSchema,
} from "../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { encodeRecord, RecordDecoder } from "../mesos/recordio.ts";
import { say } from "./shell.ts";

const PROTOBUF = "application/x-protobuf";
const RECORDIO = "application/recordio";
const PATH = "/api/v1";
/** Milliseconds between signs of life that are sent, as Mesos' own command line has it. */
const HEARTBEAT = 30_000;
/** Intervals of the agent's own signs of life after which it counts as lost. */
const MOST_SILENT = 3;

type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown"> & { type: Call_Type };
type IoInit = Omit<MessageInitShape<typeof ProcessIOSchema>, "$typeName" | "$unknown">;

/** A terminal's size. */
export interface Window {
  readonly rows: number;
  readonly columns: number;
}

/** A piece of what a process says. */
export interface Piece {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** An error that says that the connection is gone, not that something was refused. */
const lost = (peer: HttpPeer, why: string): UserError =>
  new UserError(
    `the connection to the agent at ${peer.address} was lost (${why}), and the session with it`,
    "the task itself runs on: look at it with mesos-slave tasks",
  );

/** What a container's process says, as the agent streams it. */
export class SessionOutput {
  readonly #peer: HttpPeer;
  readonly #clock: Clock;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #ended = new AbortController();
  /** Milliseconds without a word after which the agent counts as lost; known once it has sent a sign of life. */
  #patience: number | undefined;

  private constructor(peer: HttpPeer, clock: Clock, body: AsyncIterable<Uint8Array>, ended: AbortController) {
    this.#peer = peer;
    this.#clock = clock;
    this.#body = body;
    this.#ended = ended;
  }

  /** Begins a stream by a call whose answer it is. Throws a UserError when it is refused. */
  static async open(peer: HttpPeer, clock: Clock, call: CallInit): Promise<SessionOutput> {
    const ended = new AbortController();
    const headers = { "content-type": PROTOBUF, accept: RECORDIO, "message-accept": PROTOBUF };
    const body = Buffer.from(encode(CallSchema, create(CallSchema, call)));
    const answer = await peer.stream(PATH, headers, body, ended.signal);
    if (answer.statusCode !== 200)
      throw peer.refusal(PATH, { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) });
    return new SessionOutput(peer, clock, answer.body, ended);
  }

  /** Lets go: the agent ends a session that nobody reads. */
  close(): void {
    this.#ended.abort();
  }

  /** Everything until the process or the attachment ends. The next piece is read when the one before was taken. Throws a UserError. */
  async *pieces(): AsyncGenerator<Piece, void, void> {
    const decoder = new RecordDecoder();
    try {
      for await (const chunk of this.#watched())
        for (const record of decoder.push(chunk)) {
          const io = decode(ProcessIOSchema, record);
          const piece = pieceOf(io);
          if (piece !== undefined) yield piece;
          else this.#heard(io);
        }
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      throw error instanceof UserError ? error : lost(this.#peer, messageOf(error));
    }
    if (!decoder.complete) throw lost(this.#peer, "it ended within a record");
  }

  #heard({ control }: ProcessIO): void {
    const interval = control?.heartbeat?.interval?.nanoseconds;
    if (interval !== undefined) this.#patience = MOST_SILENT * millisecondsOf(interval);
  }

  /** The chunks, and an end when none comes for too long. While nobody asks for the next one nothing is too long. */
  async *#watched(): AsyncGenerator<Uint8Array, void, void> {
    const chunks = this.#body[Symbol.asyncIterator]();
    for (;;) {
      const silence = Promise.withResolvers<never>();
      silence.promise.catch(() => undefined);
      const patience = this.#patience;
      const timer =
        patience === undefined
          ? undefined
          : this.#clock.after(patience, () => silence.reject(lost(this.#peer, "it has been silent for too long")));
      try {
        const next = await Promise.race([chunks.next(), silence.promise]);
        if (next.done) return;
        yield next.value;
      } finally {
        timer?.cancel();
      }
    }
  }
}

function pieceOf({ type, data }: ProcessIO): Piece | undefined {
  if (type !== ProcessIO_Type.DATA || data === undefined) return undefined;
  return { stream: data.type === ProcessIO_Data_Type.STDERR ? "stderr" : "stdout", data: data.data };
}

/** What is said to a container's process: one streamed request for as long as there is something to say. */
export class SessionInput {
  readonly #body = new PassThrough();
  readonly #beat: Timer;
  /** The agent's answer, which comes when all is said or the process has ended; undefined: the connection broke. */
  readonly answer: Promise<Reply | undefined>;

  constructor(peer: HttpPeer, clock: Clock, chain: ContainerChain) {
    const headers = { "content-type": RECORDIO, "message-content-type": PROTOBUF, accept: PROTOBUF };
    this.#send({ type: Call_AttachContainerInput_Type.CONTAINER_ID, containerId: containerIdOf(chain) });
    this.#beat = every(clock, HEARTBEAT, () => {
      // Where much is on its way no further sign is needed.
      if (!this.#body.writableNeedDrain) this.#control({ type: ProcessIO_Control_Type.HEARTBEAT, heartbeat: interval });
    });
    const sent = peer.stream(PATH, headers, this.#body, new AbortController().signal);
    this.answer = sent.then(
      async (answer) => ({ status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) }),
      () => undefined,
    );
    void this.answer.then(() => this.close());
    this.#body.on("error", () => this.#beat.cancel());
  }

  #send(attach: NonNullable<CallInit["attachContainerInput"]>): boolean {
    if (this.#body.destroyed || this.#body.writableEnded) return true;
    const call = create(CallSchema, { type: Call_Type.ATTACH_CONTAINER_INPUT, attachContainerInput: attach });
    return this.#body.write(encodeRecord(encode(CallSchema, call)));
  }

  #io(processIo: IoInit): boolean {
    return this.#send({ type: Call_AttachContainerInput_Type.PROCESS_IO, processIo });
  }

  #control(control: NonNullable<IoInit["control"]>): void {
    this.#io({ type: ProcessIO_Type.CONTROL, control });
  }

  /** Resolves when more may be written. Empty data is the end of the input. */
  async write(data: Uint8Array): Promise<void> {
    const taken = this.#io({
      type: ProcessIO_Type.DATA,
      data: { type: ProcessIO_Data_Type.STDIN, data: new Uint8Array(data) },
    });
    if (!taken) await say(this.#body, "");
  }

  resize(windowSize: Window): void {
    this.#control({ type: ProcessIO_Control_Type.TTY_INFO, ttyInfo: { windowSize } });
  }

  /** Nothing more is said, and no sign of life is given. */
  close(): void {
    this.#beat.cancel();
    if (!this.#body.writableEnded) this.#body.end();
  }
}

const interval = { interval: { nanoseconds: nanosecondsOf(HEARTBEAT) } };
