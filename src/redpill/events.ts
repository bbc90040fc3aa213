/** An event that supervisord sent to its listener. */
export interface SupervisorEvent {
  /** `PROCESS_STATE_FATAL` and so on. */
  readonly name: string;
  readonly group: string;
  readonly process: string;
  /** PROCESS_STATE_EXITED: whether the exit code was one of the expected. */
  readonly expected: boolean;
}

/** Longer than any header or process event that supervisord sends. */
const LONGEST = 65_536;

const fieldsOf = (text: string): Map<string, string> =>
  new Map(
    text.split(/\s+/).flatMap((token) => {
      const at = token.indexOf(":");
      return at < 0 ? [] : [[token.slice(0, at), token.slice(at + 1)] as const];
    }),
  );

/**
 * Cuts supervisord's event protocol (a header line with `eventname` and `len`, then that many bytes) out of a stream of
 * chunks. Throws when the stream is not that protocol.
 */
export class EventParser {
  #data = Buffer.alloc(0);

  push(chunk: Buffer): SupervisorEvent[] {
    this.#data = Buffer.concat([this.#data, chunk]);
    const events: SupervisorEvent[] = [];
    for (;;) {
      const end = this.#data.indexOf("\n");
      if (end < 0 && this.#data.length <= LONGEST) return events;
      const header = fieldsOf(this.#data.subarray(0, Math.max(end, 0)).toString());
      const length = Number(header.get("len"));
      const name = header.get("eventname");
      if (end < 0 || name === undefined || !Number.isInteger(length) || length < 0 || length > LONGEST)
        throw new Error("what comes over stdin is not supervisord's event protocol");
      if (this.#data.length < end + 1 + length) return events;
      const payload = fieldsOf(this.#data.subarray(end + 1, end + 1 + length).toString());
      this.#data = this.#data.subarray(end + 1 + length);
      events.push({
        name,
        group: payload.get("groupname") ?? "",
        process: payload.get("processname") ?? "",
        expected: payload.get("expected") === "1",
      });
    }
  }
}

/** What a listener writes: ready for an event, and done with one. */
export const READY = "READY\n";
export const DONE = "RESULT 2\nOK";
