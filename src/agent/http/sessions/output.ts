import type { ServerResponse } from "node:http";
import { type Clock, every } from "../../../base/clock.ts";
import type { Answer } from "../../../http/answer.ts";
import { RECORDIO } from "../../../http/request.ts";
import type { OutputAttachment } from "../../model/session.ts";
import type { Negotiated } from "../operator/negotiate.ts";
import { heartbeatRecord, outputRecord } from "./process-io.ts";

export interface OutputOptions {
  readonly clock: Clock;
  /** `--http_heartbeat_interval`, milliseconds. */
  readonly heartbeat: number;
  readonly negotiated: Negotiated;
  /** The client is gone, be it before it got anything, or has all of it. */
  readonly closed?: () => void;
}

/** Resolves when more may be written; at once when nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

/** The output of a process as an answer that ends with it: records, whatever was accepted (mesos-wire §7.4). */
export function outputAnswer(session: Pick<OutputAttachment, "attach">, options: OutputOptions): Answer {
  const { negotiated, clock, heartbeat, closed } = options;
  const encoding = negotiated.response;
  const isStream = negotiated.isStreamedResponse;
  return {
    kind: "open",
    type: isStream ? RECORDIO : encoding,
    ...(isStream && { headers: { "message-content-type": encoding } }),
    ...(closed && { discarded: closed }),
    opened: (response) => {
      const beat = every(clock, heartbeat, () => {
        // Somebody who does not read needs no further sign.
        if (!response.writableNeedDrain) response.write(heartbeatRecord(encoding, heartbeat));
      });
      const detach = session.attach({
        data: (stream, piece) => {
          if (response.destroyed || response.write(outputRecord(encoding, stream, piece))) return undefined;
          return drained(response);
        },
        end: () => void response.end(),
        // Whoever reads it shall not take that for the end.
        lost: () => void response.destroy(),
      });
      response.on("error", () => undefined);
      const leave = (): void => {
        beat.cancel();
        detach();
        closed?.();
      };
      // Of one that was closed before, nothing more is heard.
      if (response.destroyed) leave();
      else response.on("close", leave);
    },
  };
}
