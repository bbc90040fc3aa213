import { create } from "@bufbuild/protobuf";
import type { Timer } from "../base/clock.ts";
import { PingSlaveMessageSchema, PongSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { atLeast } from "../mesos/version.ts";
import type { ClusterContext } from "./cluster.ts";
import type { Agent } from "./model.ts";

export interface PingOptions {
  /** Milliseconds. */
  readonly pingInterval: number;
  readonly maximumMissed: number;
  readonly expired: () => void;
}

/** Agents before 0.25 know pings by another name. */
const pingName = (version: string): string => (atLeast(version, "0.25.0") ? PingSlaveMessageSchema.typeName : "PING");

let observers = 0;

/** Pings an agent from a process of its own, `slave-observer(N)`, until the returned function is called. */
export function startPings({ process, clock }: ClusterContext, agent: Agent, options: PingOptions): () => void {
  const observer = process.spawn(`slave-observer(${++observers})`);
  let missed = 0;
  let answered = true;
  let timer: Timer;
  const pong = (): void => {
    answered = true;
    missed = 0;
  };
  observer.install(PongSlaveMessageSchema, pong);
  observer.on("PONG", pong);
  const ping = (): void => {
    timer = clock.after(options.pingInterval, ping);
    if (!answered) missed++;
    if (missed >= options.maximumMissed) {
      stop();
      options.expired();
      return;
    }
    answered = false;
    const message = create(PingSlaveMessageSchema, { connected: agent.connected });
    observer.send(agent.pid, PingSlaveMessageSchema, message, pingName(agent.version));
  };
  const stop = (): void => {
    timer.cancel();
    observer.terminate();
  };
  ping();
  return stop;
}
