import { type IncomingMessage, request } from "node:http";
import { encodeRecord, RecordDecoder } from "../../src/mesos/recordio.ts";
import { idJson } from "./operator-client.ts";

interface ProcessIo {
  readonly type: string;
  readonly data?: { readonly type: string; readonly data: string };
}

/** A session as ClusterD's command line opens it: what it says, and what is said to it. */
export class SessionClient {
  readonly port: number;
  readonly chain: readonly string[];
  status = 0;
  text = "";
  stderr = "";
  bytes = 0;
  /** Milliseconds from the request to the first byte of output. */
  firstByte: number | undefined;
  readonly types = new Set<string>();
  answer: IncomingMessage | undefined;
  /** Resolves when the answer has ended. */
  ended: Promise<void> = Promise.resolve();

  constructor(port: number, chain: readonly string[]) {
    this.port = port;
    this.chain = chain;
  }

  #post(headers: Readonly<Record<string, string>>) {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { port: this.port, host: "127.0.0.1", method: "POST", path: "/api/v1", headers, agent: false };
    const sent = request(options, resolve);
    sent.on("error", reject);
    return { sent, answer: promise };
  }

  async #stream(call: object, isRead: boolean): Promise<this> {
    const begun = performance.now();
    const { sent, answer } = this.#post({
      "content-type": "application/json",
      accept: "application/recordio",
      "message-accept": "application/json",
    });
    sent.end(JSON.stringify(call));
    this.answer = await answer;
    this.status = this.answer.statusCode ?? 0;
    if (isRead) this.ended = this.#read(this.answer, begun);
    return this;
  }

  /** `isRead` false: the answer is not read. */
  open(command: object, { tty = false, isRead = true } = {}): Promise<this> {
    const container = { type: "MESOS", tty_info: { window_size: { rows: 40, columns: 123 } } };
    const launch = { container_id: idJson(...this.chain), command, ...(tty && { container }) };
    const call = { type: "LAUNCH_NESTED_CONTAINER_SESSION", launch_nested_container_session: launch };
    return this.#stream(call, isRead);
  }

  attachOutput({ isRead = true } = {}): Promise<this> {
    const attach = { container_id: idJson(...this.chain) };
    return this.#stream({ type: "ATTACH_CONTAINER_OUTPUT", attach_container_output: attach }, isRead);
  }

  async #read(answer: IncomingMessage, begun: number): Promise<void> {
    const decoder = new RecordDecoder();
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        if (this.status !== 200) {
          this.text += chunk.toString();
          continue;
        }
        for (const record of decoder.push(chunk)) this.#take(JSON.parse(Buffer.from(record).toString()), begun);
      }
    } catch {
      // It was let go.
    }
  }

  #take(io: ProcessIo, begun: number): void {
    this.types.add(io.type);
    if (io.data === undefined) return;
    this.firstByte ??= performance.now() - begun;
    const piece = Buffer.from(io.data.data, "base64");
    this.bytes += piece.length;
    // Of much only the beginning is kept.
    if (this.text.length > 1_000_000) return;
    if (io.data.type === "STDERR") this.stderr += piece.toString();
    else this.text += piece.toString();
  }

  /** Lets go without a word. */
  vanish(): void {
    this.answer?.destroy();
  }

  /** The stream of what is said to it. */
  input() {
    const { sent, answer } = this.#post({
      "content-type": "application/recordio",
      "message-content-type": "application/json",
    });
    const record = (attach: object) =>
      sent.write(encodeRecord(JSON.stringify({ type: "ATTACH_CONTAINER_INPUT", attach_container_input: attach })));
    const io = (process_io: object) => record({ type: "PROCESS_IO", process_io });
    record({ type: "CONTAINER_ID", container_id: idJson(...this.chain) });
    const reply = answer.then(async (one) => {
      let body = "";
      for await (const chunk of one) body += chunk;
      return { status: one.statusCode, body };
    });
    // Whoever does not ask for it is not told that the connection broke.
    reply.catch(() => undefined);
    return {
      data: (text: string) => io({ type: "DATA", data: { type: "STDIN", data: Buffer.from(text).toString("base64") } }),
      resize: (rows: number, columns: number) =>
        io({ type: "CONTROL", control: { type: "TTY_INFO", tty_info: { window_size: { rows, columns } } } }),
      raw: (bytes: Buffer | string) => sent.write(bytes),
      end: () => sent.end(),
      answer: reply,
    };
  }
}
