import { isFieldSet } from "@bufbuild/protobuf";
import {
  type CheckInfo,
  CheckInfo_Type,
  type CommandInfo,
  type HealthCheck,
  HealthCheck_Type,
  HealthCheckSchema,
  NetworkInfo_Protocol as Protocol,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** One look at a task. */
export type Probe =
  | { readonly kind: "command"; readonly command: CommandInfo }
  | {
      readonly kind: "http";
      readonly scheme: "http" | "https";
      readonly port: number;
      readonly path: string;
      readonly ipv6: boolean;
      /** Status codes that are healthy; empty: 200 to 399. */
      readonly statuses: readonly number[];
    }
  | { readonly kind: "tcp"; readonly port: number; readonly ipv6: boolean };

/** Milliseconds. */
export interface Schedule {
  /** Before the first look. */
  readonly delay: number;
  /** From the end of a look to the next; at least a tenth of a second. */
  readonly interval: number;
  /** 0: no limit. */
  readonly timeout: number;
}

export interface HealthPlan {
  readonly probe: Probe;
  readonly schedule: Schedule;
  /** So many failures in a row end the task. */
  readonly consecutiveFailures: number;
  /** Milliseconds in which failures do not count, until the first success. */
  readonly grace: number;
}

const milliseconds = (seconds: number, name: string): number => {
  if (!(seconds >= 0 && seconds < 1e9)) throw new Error(`${name} is ${seconds}; expected a number of seconds from 0`);
  return Math.round(seconds * 1000);
};

/** Milliseconds. A check of every moment would take this agent from the other tasks: it is the agent that looks. */
const LEAST_INTERVAL = 100;

const scheduleOf = (check: { delaySeconds: number; intervalSeconds: number; timeoutSeconds: number }): Schedule => ({
  delay: milliseconds(check.delaySeconds, "delay_seconds"),
  interval: Math.max(milliseconds(check.intervalSeconds, "interval_seconds"), LEAST_INTERVAL),
  timeout: milliseconds(check.timeoutSeconds, "timeout_seconds"),
});

function portOf(port: number): number {
  if (port >= 1 && port <= 65_535) return port;
  throw new Error(`port ${port} is not a port (1 to 65535)`);
}

function pathOf(path: string): string {
  if (path === "") return "/";
  if (path.startsWith("/")) return path;
  throw new Error(`the path '${path}' of the HTTP check must start with '/'`);
}

function schemeOf(scheme: string): "http" | "https" {
  if (scheme === "" || scheme === "http") return "http";
  if (scheme === "https") return "https";
  throw new Error(`the scheme '${scheme}' of the HTTP check is neither http nor https`);
}

/** A missing type, as 0.24 to 1.0 have it, is that of the field that is set. */
function healthTypeOf(check: HealthCheck): HealthCheck_Type {
  if (isFieldSet(check, HealthCheckSchema.field.type) && check.type !== HealthCheck_Type.UNKNOWN) return check.type;
  if (check.command !== undefined) return HealthCheck_Type.COMMAND;
  if (check.http !== undefined) return HealthCheck_Type.HTTP;
  return check.tcp === undefined ? HealthCheck_Type.UNKNOWN : HealthCheck_Type.TCP;
}

function healthProbe(check: HealthCheck): Probe {
  const { command, http, tcp } = check;
  const type = healthTypeOf(check);
  if (type === HealthCheck_Type.COMMAND && command !== undefined) return { kind: "command", command };
  if (type === HealthCheck_Type.HTTP && http !== undefined) {
    const { scheme, port, path, protocol, statuses } = http;
    const ipv6 = protocol === Protocol.IPv6;
    return { kind: "http", scheme: schemeOf(scheme), port: portOf(port), path: pathOf(path), ipv6, statuses };
  }
  if (type === HealthCheck_Type.TCP && tcp !== undefined) {
    return { kind: "tcp", port: portOf(tcp.port), ipv6: tcp.protocol === Protocol.IPv6 };
  }
  throw new Error("the health check says neither command nor http nor tcp");
}

/** Decides a health check of any era (mesos-agent-behaviour §5.13). Throws an Error that says what is wrong with it. */
export function planHealthCheck(check: HealthCheck): HealthPlan {
  return {
    probe: healthProbe(check),
    schedule: scheduleOf(check),
    consecutiveFailures: Math.max(1, check.consecutiveFailures),
    grace: milliseconds(check.gracePeriodSeconds, "grace_period_seconds"),
  };
}

/** Decides a generic check (1.2 and later). Throws an Error that says what is wrong with it. */
export function planCheck(check: CheckInfo): { readonly probe: Probe; readonly schedule: Schedule } {
  const { type, command, http, tcp } = check;
  const schedule = scheduleOf(check);
  if (type === CheckInfo_Type.COMMAND && command?.command !== undefined) {
    return { schedule, probe: { kind: "command", command: command.command } };
  }
  if (type === CheckInfo_Type.HTTP && http !== undefined) {
    const [port, path] = [portOf(http.port), pathOf(http.path)];
    return { schedule, probe: { kind: "http", scheme: "http", port, path, ipv6: false, statuses: [] } };
  }
  if (type === CheckInfo_Type.TCP && tcp !== undefined) {
    return { schedule, probe: { kind: "tcp", port: portOf(tcp.port), ipv6: false } };
  }
  throw new Error("the check says neither command nor http nor tcp");
}
