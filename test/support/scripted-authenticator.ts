import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import type { Process } from "../../src/libprocess/process.ts";
import { formatUPID, type UPID } from "../../src/libprocess/upid.ts";
import {
  AuthenticateMessageSchema,
  AuthenticationCompletedMessageSchema,
  AuthenticationErrorMessageSchema,
  AuthenticationFailedMessageSchema,
  AuthenticationMechanismsMessageSchema,
  AuthenticationStartMessageSchema,
  AuthenticationStepMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";

/** One attempt of somebody to authenticate: its process, and what it said. */
export class AuthenticationAttempt {
  /** Whom it wants to have authenticated. */
  readonly pid: string;
  readonly authenticatee: UPID;
  readonly mechanisms: string[] = [];
  readonly started: (Uint8Array | undefined)[] = [];
  readonly responses: string[] = [];
  readonly #session: Process;

  constructor(process: Process, number: number, authenticatee: UPID, pid: string) {
    this.pid = pid;
    this.authenticatee = authenticatee;
    this.#session = process.spawn(`crammd5-authenticator(${number})`);
    this.#session.install(AuthenticationStartMessageSchema, (_from, message) => {
      this.mechanisms.push(message.mechanism);
      this.started.push(Object.hasOwn(message, "data") ? message.data : undefined);
    });
    this.#session.install(AuthenticationStepMessageSchema, (_from, { data }) => {
      this.responses.push(Buffer.from(data).toString());
    });
  }

  get name(): string {
    return formatUPID(this.authenticatee);
  }

  #send<D extends DescMessage>(schema: D, init: MessageInitShape<D>): void {
    this.#session.send(this.authenticatee, schema, create(schema, init));
  }

  offer(...mechanisms: string[]): void {
    this.#send(AuthenticationMechanismsMessageSchema, { mechanisms });
  }

  challenge(text: string): void {
    this.#send(AuthenticationStepMessageSchema, { data: Buffer.from(text) });
  }

  complete(): void {
    this.#send(AuthenticationCompletedMessageSchema, {});
  }

  refuse(): void {
    this.#send(AuthenticationFailedMessageSchema, {});
  }

  fail(error: string): void {
    this.#send(AuthenticationErrorMessageSchema, { error });
  }
}

/** The part of a scripted master that agents authenticate with: it says what the test has it say. */
export class ScriptedAuthenticator {
  readonly attempts: AuthenticationAttempt[] = [];
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
    process.install(AuthenticateMessageSchema, (from, { pid }) => {
      if (from !== undefined)
        this.attempts.push(new AuthenticationAttempt(process, this.attempts.length + 1, from, pid));
    });
  }

  /** Takes part in an attempt that was meant for another master. */
  imitate({ authenticatee, pid }: AuthenticationAttempt): AuthenticationAttempt {
    return new AuthenticationAttempt(this.#process, 0, authenticatee, pid);
  }
}
