import * as z from "zod";
import type {
  ContainerAddresses,
  ContainerDetails,
  ContainerStats,
  ContainerSummary,
  EngineEvent,
  EngineInfo,
  ImageSummary,
} from "./engine.ts";
import { EngineError } from "./errors.ts";

/**
 * Readers of the daemon's answers. Everything that a version of Docker (1.12 to 29) or Podman leaves out or sends as
 * null has a default; only what nothing works without is required.
 */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const numbers = z
  .record(z.string(), z.number())
  .nullish()
  .transform((value) => value ?? {});

function read<T>(what: string, schema: z.ZodType<T>, json: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new EngineError("protocol", `the Docker daemon's answer to ${what} is not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw new EngineError("protocol", `the Docker daemon's answer to ${what} cannot be read: ${where} ${issue?.message}`);
}

const versionSchema = z.object({
  Version: text,
  ApiVersion: z.string(),
  MinAPIVersion: z.string().nullish(),
  Os: text,
  Arch: text,
});

export const readVersion = (json: string): z.infer<typeof versionSchema> => read("version", versionSchema, json);

const infoSchema = z.object({
  CgroupVersion: text,
  CgroupDriver: text,
  DockerRootDir: text,
  LiveRestoreEnabled: flag,
  MemTotal: number,
});

export function readInfo(json: string): EngineInfo {
  const info = read("info", infoSchema, json);
  return {
    cgroupVersion: info.CgroupVersion === "2" ? 2 : 1,
    cgroupDriver: info.CgroupDriver,
    rootDirectory: info.DockerRootDir,
    liveRestore: info.LiveRestoreEnabled,
    memory: info.MemTotal,
  };
}

/** The API writes the zero time for "never". */
const moment = (value: string): string | undefined => (value === "" || value.startsWith("0001-") ? undefined : value);

const detailsSchema = z.object({
  Id: z.string(),
  Name: text,
  Image: text,
  Created: text,
  State: z.object({
    Status: text,
    Running: flag,
    Restarting: flag,
    OOMKilled: flag,
    Pid: number,
    ExitCode: number,
    Error: text,
    StartedAt: text,
    FinishedAt: text,
  }),
  Config: z.object({ Labels: labels, Tty: flag, OpenStdin: flag, StopSignal: text }),
  HostConfig: z.object({
    NetworkMode: text,
    Memory: number,
    MemorySwap: number,
    CpuShares: number,
    CpuQuota: number,
  }),
  Mounts: z.array(z.object({ Source: text, Destination: text })).nullish(),
  NetworkSettings: z
    .object({
      // Dropped by Docker 29.
      IPAddress: text,
      Networks: z
        .record(z.string(), z.object({ IPAddress: text, GlobalIPv6Address: text }).nullish())
        .nullish()
        .transform((value) => value ?? {}),
    })
    .nullish(),
});

const sizeSchema = z.object({ SizeRw: number });
/** Of an inspection that asked for sizes: 0 where nothing was written. */
export const readLayerBytes = (json: string): number => read("container size", sizeSchema, json).SizeRw;

export function readDetails(json: string): ContainerDetails {
  const details = read("container inspect", detailsSchema, json);
  const { State: state, Config: config, HostConfig: host } = details;
  return {
    id: details.Id,
    name: details.Name.replace(/^\//, ""),
    image: details.Image,
    createdAt: details.Created,
    state: {
      status: state.Status,
      running: state.Running,
      restarting: state.Restarting,
      oomKilled: state.OOMKilled,
      pid: state.Pid > 0 ? state.Pid : undefined,
      exitCode: state.ExitCode,
      error: state.Error,
      startedAt: moment(state.StartedAt),
      finishedAt: moment(state.FinishedAt),
    },
    labels: config.Labels,
    tty: config.Tty,
    readsInput: config.OpenStdin,
    stopSignal: config.StopSignal || undefined,
    networkMode: host.NetworkMode,
    memory: host.Memory,
    memorySwap: host.MemorySwap,
    cpuShares: host.CpuShares,
    cpuQuota: host.CpuQuota,
    mounts: (details.Mounts ?? []).map(({ Source, Destination }) => ({ source: Source, destination: Destination })),
    addresses: addressesOf(host.NetworkMode, details.NetworkSettings),
    raw: json,
  };
}

type NetworkSettings = z.infer<typeof detailsSchema>["NetworkSettings"];

/** As Mesos looks: the network named by NetworkMode, else the old top-level field, else the only network there is. */
function addressesOf(mode: string, settings: NetworkSettings): ContainerAddresses {
  const networks = settings?.Networks ?? {};
  const all = Object.values(networks);
  const name = mode === "default" ? "bridge" : mode;
  const network = networks[name] ?? (all.length === 1 ? all[0] : undefined);
  return {
    ipv4: network?.IPAddress || settings?.IPAddress || undefined,
    ipv6: network?.GlobalIPv6Address || undefined,
  };
}

const summariesSchema = z.array(z.object({ Id: z.string(), Names: texts, ImageID: text, State: text, Labels: labels }));

export function readSummaries(json: string): ContainerSummary[] {
  return read("container list", summariesSchema, json).map((one) => ({
    id: one.Id,
    names: one.Names.map((name) => name.replace(/^\//, "")),
    imageId: one.ImageID,
    state: one.State,
    labels: one.Labels,
  }));
}

const imagesSchema = z.array(z.object({ Id: z.string(), RepoTags: texts, Created: number, Size: number }));

export function readImages(json: string): ImageSummary[] {
  return read("image list", imagesSchema, json).map((one) => ({
    id: one.Id,
    tags: one.RepoTags.filter((tag) => tag !== "<none>:<none>"),
    created: one.Created,
    bytes: one.Size,
  }));
}

// The top-level fields `status` and `id` are gone since API 1.52; Type, Action and Actor are there since 1.22.
const eventSchema = z.object({
  Type: text,
  Action: text,
  Actor: z.object({ ID: text, Attributes: labels }).nullish(),
});

export function readEvent(json: string): EngineEvent {
  const event = read("events", eventSchema, json);
  return {
    type: event.Type,
    action: event.Action,
    id: event.Actor?.ID ?? "",
    attributes: event.Actor?.Attributes ?? {},
  };
}

const statsSchema = z.object({
  read: text,
  cpu_stats: z
    .object({
      cpu_usage: z.object({ usage_in_usermode: number, usage_in_kernelmode: number }).nullish(),
      throttling_data: z.object({ periods: number, throttled_periods: number, throttled_time: number }).nullish(),
    })
    .nullish(),
  memory_stats: z.object({ usage: z.number().nullish(), limit: z.number().nullish(), stats: numbers }).nullish(),
  pids_stats: z.object({ current: z.number().nullish() }).nullish(),
  networks: z.record(z.string(), numbers).nullish(),
});

export function readStats(json: string): ContainerStats {
  const stats = read("stats", statsSchema, json);
  const cpu = stats.cpu_stats?.cpu_usage;
  const throttling = stats.cpu_stats?.throttling_data;
  return {
    readAt: stats.read,
    cpuUser: cpu?.usage_in_usermode ?? 0,
    cpuSystem: cpu?.usage_in_kernelmode ?? 0,
    periods: throttling?.periods ?? 0,
    throttledPeriods: throttling?.throttled_periods ?? 0,
    throttledTime: throttling?.throttled_time ?? 0,
    memoryUsage: stats.memory_stats?.usage ?? undefined,
    memoryLimit: stats.memory_stats?.limit ?? undefined,
    memory: stats.memory_stats?.stats ?? {},
    processes: stats.pids_stats?.current ?? undefined,
    networks: stats.networks ?? {},
  };
}

const createdSchema = z.object({ Id: z.string(), Warnings: texts });
export const readCreated = (json: string): z.infer<typeof createdSchema> =>
  read("container create", createdSchema, json);

const execSchema = z.object({ Running: flag, ExitCode: z.number().nullish(), Pid: number });
export const readExec = (json: string): z.infer<typeof execSchema> => read("exec inspect", execSchema, json);

const idSchema = z.object({ Id: z.string() });
export const readId = (what: string, json: string): string => read(what, idSchema, json).Id;
