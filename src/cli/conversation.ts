import { sleep } from "../base/clock.ts";
import type { HttpPeer, Reply } from "../client/peer.ts";
import type { ContainerChain } from "../mesos/container-chain.ts";
import { DetachKeys } from "./detach-keys.ts";
import { SessionInput, type SessionOutput, type Window } from "./session.ts";
import { endingSignal, type Shell, say } from "./shell.ts";

/** Bytes of a record: what an agent takes at once is 1 MiB. */
const LARGEST_PIECE = 64 * 1024;

/** Milliseconds that an agent may take to answer that it has heard everything. */
const LONGEST_GOODBYE = 2_000;

export interface ConversationOptions {
  readonly peer: HttpPeer;
  readonly shell: Shell;
  /** Whose input it is. */
  readonly chain: ContainerChain;
  readonly output: SessionOutput;
  /** What is typed or piped here is passed on. Otherwise the process is told that there is no input, or nothing at all. */
  readonly input: "passed" | "ended" | "none";
  /** This terminal becomes the process's: every key is its own. */
  readonly isRaw: boolean;
  /** Ctrl-P Ctrl-Q lets go; the process goes on, and others may speak with it. */
  readonly isDetachable?: boolean;
}

/** How a conversation ended: the process did, somebody let go of it, or a signal (its number) asked this command to end. */
export type ConversationEnd = "over" | "detached" | number;

/** The size of this terminal; undefined where there is none. */
export function windowOf({ output }: Pick<Shell, "output">): Window | undefined {
  const { isTTY, rows, columns } = output;
  return isTTY && rows !== undefined && columns !== undefined ? { rows, columns } : undefined;
}

/** Answers of an agent for which there is nothing to be said: the process had ended when the input came. */
const HARMLESS: ReadonlySet<number> = new Set([200, 404, 500]);

/** Passes on what a process says, and what is said to it, until one of them is over. Throws a UserError. */
export class Conversation {
  readonly #options: ConversationOptions;
  readonly #input: SessionInput | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { peer, shell, chain, input } = options;
    this.#input = input === "none" ? undefined : new SessionInput(peer, shell.clock, chain);
  }

  async run(): Promise<ConversationEnd> {
    const { shell, output, isRaw, input } = this.#options;
    const resized = (): void => {
      const size = windowOf(shell);
      if (size !== undefined) this.#input?.resize(size);
    };
    const ending = endingSignal(shell);
    try {
      if (isRaw) shell.setRaw(true);
      if (isRaw) shell.output.on("resize", resized);
      // It may have changed since the session was asked for.
      if (isRaw) resized();
      const ends: Promise<ConversationEnd>[] = [this.#listen(), aborted(ending), this.#refused()];
      if (input === "passed") ends.push(this.#pass());
      else if (input === "ended") void this.#input?.write(new Uint8Array());
      return await Promise.race(ends);
    } finally {
      shell.output.off("resize", resized);
      if (isRaw) shell.setRaw(false);
      await this.#endInput();
      output.close();
    }
  }

  /**
   * Ends the input as a whole request: a C++ agent to which it breaks off takes the input of a container for connected for ever. Who
   * let go of a session needs no answer, as the session ends.
   */
  async #endInput(): Promise<void> {
    const { isDetachable, shell } = this.#options;
    this.#input?.close();
    if (isDetachable) await Promise.race([this.#input?.answer, sleep(shell.clock, LONGEST_GOODBYE)]);
  }

  async #listen(): Promise<"over"> {
    const { shell, output } = this.#options;
    for await (const { stream, data } of output.pieces())
      await say(stream === "stdout" ? shell.output : shell.errors, data);
    return "over";
  }

  /** Passes on everything up to its end; settles only when somebody lets go. */
  async #pass(): Promise<"detached"> {
    const { shell, isDetachable } = this.#options;
    const keys = new DetachKeys();
    for await (const chunk of shell.input.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      const { data, isDetached } = isDetachable ? keys.push(chunk) : { data: chunk, isDetached: false };
      for (let at = 0; at < data.length; at += LARGEST_PIECE)
        await this.#input?.write(data.subarray(at, at + LARGEST_PIECE));
      if (isDetached) return "detached";
    }
    await this.#input?.write(new Uint8Array());
    return await new Promise(() => undefined);
  }

  /** Rejects when the agent does not take the input; never settles otherwise. */
  async #refused(): Promise<never> {
    const { peer, input } = this.#options;
    const reply: Reply | undefined = await this.#input?.answer;
    // Nobody asked for input: that none may be given is not worth a word.
    if (reply !== undefined && input === "passed" && !HARMLESS.has(reply.status))
      throw peer.refusal("the input", reply);
    return await new Promise(() => undefined);
  }
}

const aborted = (signal: AbortSignal): Promise<number> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(Number(signal.reason)), { once: true }));
