import { UserError } from "../../base/errors.ts";
import type { HostConfig } from "../create-request.ts";
import type { RunDraft } from "./draft.ts";
import { bytesValue, csvValue, deviceLimit, durationValue, flagValue, integerValue, pairValue } from "./values.ts";

/** One option of `docker run`: how its value changes the draft. List options are applied once per value. */
export type RunOption = (draft: RunDraft, value: string) => void;

type KeysOf<T, V> = {
  [K in keyof T]-?: NonNullable<T[K]> extends V ? (V extends NonNullable<T[K]> ? K : never) : never;
}[keyof T];

const hostText =
  (key: KeysOf<HostConfig, string>): RunOption =>
  ({ host }, value) => {
    host[key] = value;
  };
const hostFlag =
  (key: KeysOf<HostConfig, boolean>): RunOption =>
  ({ host }, value) => {
    host[key] = flagValue(value);
  };
const hostInteger =
  (key: KeysOf<HostConfig, number>): RunOption =>
  ({ host }, value) => {
    host[key] = integerValue(value);
  };
const hostBytes =
  (key: KeysOf<HostConfig, number>): RunOption =>
  ({ host }, value) => {
    host[key] = bytesValue(value);
  };
const hostList =
  (key: KeysOf<HostConfig, string[]>): RunOption =>
  ({ host }, value) => {
    host[key] = [...(host[key] ?? []), value];
  };
const hostMap =
  (key: KeysOf<HostConfig, Record<string, string>>): RunOption =>
  ({ host }, value) => {
    const [name, text] = pairValue(value);
    host[key] = { ...host[key], [name]: text };
  };
type RateKey = "BlkioDeviceReadBps" | "BlkioDeviceWriteBps" | "BlkioDeviceReadIOps" | "BlkioDeviceWriteIOps";
const hostRate =
  (key: RateKey, parse: (text: string) => number): RunOption =>
  ({ host }, value) => {
    const [path, rate] = deviceLimit(value);
    host[key] = [...(host[key] ?? []), { Path: path, Rate: parse(rate) }];
  };

/** Accepted, and nothing to do: they concern the terminal of `docker run`, or hold already. */
const noEffect: RunOption = () => undefined;

function refused(why: string): RunOption {
  return () => {
    throw new UserError(why);
  };
}

/** The plain options: one field of the request each. The others are in networks.ts, storage.ts and process.ts. */
export const plainOptions: Readonly<Record<string, RunOption>> = {
  "add-host": hostList("ExtraHosts"),
  annotation: hostMap("Annotations"),
  attach: noEffect,
  "blkio-weight": hostInteger("BlkioWeight"),
  "blkio-weight-device": ({ host }, value) => {
    const [path, weight] = deviceLimit(value);
    host.BlkioWeightDevice = [...(host.BlkioWeightDevice ?? []), { Path: path, Weight: integerValue(weight) }];
  },
  "cap-add": hostList("CapAdd"),
  "cap-drop": hostList("CapDrop"),
  "cgroup-parent": hostText("CgroupParent"),
  cgroupns: hostText("CgroupnsMode"),
  cidfile: refused("it makes the docker command write a file; the container's id is in the task's status instead"),
  "cpu-count": hostInteger("CpuCount"),
  "cpu-percent": hostInteger("CpuPercent"),
  "cpu-period": hostInteger("CpuPeriod"),
  "cpu-quota": hostInteger("CpuQuota"),
  "cpu-rt-period": hostInteger("CpuRealtimePeriod"),
  "cpu-rt-runtime": hostInteger("CpuRealtimeRuntime"),
  "cpu-shares": hostInteger("CpuShares"),
  cpus: ({ host }, value) => {
    if (!/^\d+(\.\d+)?$/.test(value)) throw new UserError(`'${value}' is not a number of CPUs`);
    host.NanoCpus = Math.round(Number(value) * 1e9);
    // The daemon refuses a quota beside it.
    delete host.CpuQuota;
    delete host.CpuPeriod;
  },
  "cpuset-cpus": hostText("CpusetCpus"),
  "cpuset-mems": hostText("CpusetMems"),
  detach: noEffect,
  "detach-keys": noEffect,
  "device-cgroup-rule": hostList("DeviceCgroupRules"),
  "device-read-bps": hostRate("BlkioDeviceReadBps", bytesValue),
  "device-read-iops": hostRate("BlkioDeviceReadIOps", integerValue),
  "device-write-bps": hostRate("BlkioDeviceWriteBps", bytesValue),
  "device-write-iops": hostRate("BlkioDeviceWriteIOps", integerValue),
  "disable-content-trust": noEffect,
  "group-add": hostList("GroupAdd"),
  help: refused("it only prints docker's help"),
  init: hostFlag("Init"),
  "io-maxbandwidth": hostBytes("IOMaximumBandwidth"),
  "io-maxiops": hostInteger("IOMaximumIOps"),
  ipc: hostText("IpcMode"),
  isolation: hostText("Isolation"),
  "kernel-memory": hostBytes("KernelMemory"),
  memory: hostBytes("Memory"),
  "memory-reservation": hostBytes("MemoryReservation"),
  "memory-swap": hostBytes("MemorySwap"),
  "memory-swappiness": hostInteger("MemorySwappiness"),
  name: (draft, value) => {
    draft.name = value;
  },
  "oom-kill-disable": hostFlag("OomKillDisable"),
  "oom-score-adj": hostInteger("OomScoreAdj"),
  pid: hostText("PidMode"),
  "pids-limit": hostInteger("PidsLimit"),
  platform: (draft, value) => {
    draft.platform = value;
  },
  privileged: hostFlag("Privileged"),
  pull: (draft, value) => {
    if (value !== "always" && value !== "missing" && value !== "never") {
      throw new UserError(`'${value}' is not always, missing or never`);
    }
    draft.pull = value;
  },
  quiet: noEffect,
  "read-only": hostFlag("ReadonlyRootfs"),
  restart: ({ host }, value) => {
    const [name = "", count] = value.split(":", 2);
    host.RestartPolicy = { Name: name, MaximumRetryCount: count === undefined ? 0 : integerValue(count) };
  },
  rm: (draft, value) => {
    draft.removeAtEnd = flagValue(value);
  },
  runtime: hostText("Runtime"),
  "security-opt": ({ host }, value) => securityOption(host, value),
  "shm-size": hostBytes("ShmSize"),
  "sig-proxy": noEffect,
  "storage-opt": hostMap("StorageOpt"),
  sysctl: hostMap("Sysctls"),
  ulimit: ({ host }, value) => {
    const [name, limits] = pairValue(value);
    const [soft = "", hard = soft] = limits.split(":", 2);
    const limit = { Name: name, Soft: integerValue(soft), Hard: integerValue(hard) };
    host.Ulimits = [...(host.Ulimits ?? []).filter(({ Name }) => Name !== name), limit];
  },
  "use-api-socket": refused("it is an experiment of the docker command; mount the socket as a volume instead"),
  userns: hostText("UsernsMode"),
  uts: hostText("UTSMode"),
  "volume-driver": hostText("VolumeDriver"),
  "volumes-from": hostList("VolumesFrom"),
  gpus: ({ host }, value) => {
    host.DeviceRequests = [...(host.DeviceRequests ?? []), gpuRequest(value)];
  },
  "log-driver": ({ host }, value) => {
    host.LogConfig = { Type: value, Config: host.LogConfig?.Config ?? {} };
  },
  "log-opt": ({ host }, value) => {
    const [name, text] = pairValue(value);
    host.LogConfig = { Type: host.LogConfig?.Type ?? "", Config: { ...host.LogConfig?.Config, [name]: text } };
  },
  "health-cmd": health((check, value) => {
    check.Test = ["CMD-SHELL", value];
  }),
  "health-interval": health((check, value) => {
    check.Interval = durationValue(value);
  }),
  "health-retries": health((check, value) => {
    check.Retries = integerValue(value);
  }),
  "health-start-interval": health((check, value) => {
    check.StartInterval = durationValue(value);
  }),
  "health-start-period": health((check, value) => {
    check.StartPeriod = durationValue(value);
  }),
  "health-timeout": health((check, value) => {
    check.Timeout = durationValue(value);
  }),
  "no-healthcheck": ({ request }, value) => {
    if (flagValue(value)) request.Healthcheck = { Test: ["NONE"] };
  },
};

type Healthcheck = NonNullable<RunDraft["request"]["Healthcheck"]>;

function health(set: (check: Healthcheck, value: string) => void): RunOption {
  return ({ request }, value) => {
    request.Healthcheck ??= {};
    set(request.Healthcheck, value);
  };
}

/** `systempaths=unconfined` is the client's own; everything else goes to the daemon, with `=` for the old `:`. */
function securityOption(host: HostConfig, value: string): void {
  if (value === "systempaths=unconfined") {
    host.MaskedPaths = [];
    host.ReadonlyPaths = [];
    return;
  }
  const text = !value.includes("=") && value.includes(":") ? value.replace(":", "=") : value;
  host.SecurityOpt = [...(host.SecurityOpt ?? []), text];
}

/** `all`, a count, or `device=…,driver=…,capabilities=…,count=…`. */
function gpuRequest(value: string): NonNullable<HostConfig["DeviceRequests"]>[number] {
  const count = (text: string): number => (text === "all" ? -1 : integerValue(text));
  if (!value.includes("=")) return { Count: count(value), Capabilities: [["gpu"]] };
  const fields = Object.fromEntries(csvValue(value).map(pairValue));
  const { driver, device, capabilities, options, ...rest } = fields;
  const unknown = Object.keys(rest).find((key) => key !== "count");
  if (unknown !== undefined) throw new UserError(`'${unknown}' is not a key of gpus`);
  return {
    ...(driver === undefined ? {} : { Driver: driver }),
    ...(device === undefined ? { Count: count(fields["count"] ?? "1") } : { DeviceIDs: device.split(",") }),
    Capabilities: [["gpu", ...(capabilities?.split(",").filter((one) => one !== "gpu") ?? [])]],
    ...(options === undefined ? {} : { Options: Object.fromEntries(options.split(",").map(pairValue)) }),
  };
}
