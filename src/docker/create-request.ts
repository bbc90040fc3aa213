/** The body of `POST /containers/create`, in the API's own names; only what run options and the agent set. */
export interface CreateRequest {
  Image: string;
  Cmd?: string[];
  Entrypoint?: string[];
  Env?: string[];
  Labels?: Record<string, string>;
  Hostname?: string;
  Domainname?: string;
  User?: string;
  WorkingDir?: string;
  Tty?: boolean;
  OpenStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Record<string, Record<string, never>>;
  Volumes?: Record<string, Record<string, never>>;
  StopSignal?: string;
  StopTimeout?: number;
  /** Before API 1.44; newer ones have it at the endpoint. */
  MacAddress?: string;
  Healthcheck?: HealthcheckRequest;
  HostConfig: HostConfig;
  NetworkingConfig?: { EndpointsConfig: Record<string, EndpointSettings> };
}

interface HealthcheckRequest {
  Test?: string[];
  /** Nanoseconds, as all of these. */
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface EndpointSettings {
  Aliases?: string[];
  Links?: string[];
  MacAddress?: string;
  DriverOpts?: Record<string, string>;
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] };
}

interface PortBinding {
  HostIp: string;
  HostPort: string;
}

interface DeviceRequest {
  Driver?: string;
  Count?: number;
  DeviceIDs?: string[];
  Capabilities?: string[][];
  Options?: Record<string, string>;
}

export interface MountRequest {
  Type: string;
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Record<string, unknown>;
  VolumeOptions?: Record<string, unknown>;
  TmpfsOptions?: Record<string, unknown>;
  ImageOptions?: Record<string, unknown>;
}

export interface HostConfig {
  Binds?: string[];
  Mounts?: MountRequest[];
  VolumeDriver?: string;
  VolumesFrom?: string[];
  NetworkMode?: string;
  PortBindings?: Record<string, PortBinding[]>;
  PublishAllPorts?: boolean;
  Links?: string[];
  Dns?: string[];
  DnsOptions?: string[];
  DnsSearch?: string[];
  ExtraHosts?: string[];
  Privileged?: boolean;
  CapAdd?: string[];
  CapDrop?: string[];
  GroupAdd?: string[];
  SecurityOpt?: string[];
  IpcMode?: string;
  PidMode?: string;
  UTSMode?: string;
  UsernsMode?: string;
  CgroupnsMode?: string;
  CgroupParent?: string;
  CpuShares?: number;
  CpuPeriod?: number;
  CpuQuota?: number;
  CpuRealtimePeriod?: number;
  CpuRealtimeRuntime?: number;
  CpusetCpus?: string;
  CpusetMems?: string;
  NanoCpus?: number;
  Memory?: number;
  MemoryReservation?: number;
  MemorySwap?: number;
  MemorySwappiness?: number;
  KernelMemory?: number;
  OomKillDisable?: boolean;
  OomScoreAdj?: number;
  PidsLimit?: number;
  BlkioWeight?: number;
  BlkioWeightDevice?: { Path: string; Weight: number }[];
  BlkioDeviceReadBps?: RateDevice[];
  BlkioDeviceWriteBps?: RateDevice[];
  BlkioDeviceReadIOps?: RateDevice[];
  BlkioDeviceWriteIOps?: RateDevice[];
  Devices?: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[];
  DeviceCgroupRules?: string[];
  DeviceRequests?: DeviceRequest[];
  Ulimits?: { Name: string; Soft: number; Hard: number }[];
  ShmSize?: number;
  Sysctls?: Record<string, string>;
  Tmpfs?: Record<string, string>;
  StorageOpt?: Record<string, string>;
  ReadonlyRootfs?: boolean;
  Init?: boolean;
  Runtime?: string;
  Isolation?: string;
  Annotations?: Record<string, string>;
  LogConfig?: { Type: string; Config: Record<string, string> };
  RestartPolicy?: { Name: string; MaximumRetryCount: number };
  MaskedPaths?: string[];
  ReadonlyPaths?: string[];
  IOMaximumBandwidth?: number;
  IOMaximumIOps?: number;
  CpuCount?: number;
  CpuPercent?: number;
}

interface RateDevice {
  Path: string;
  Rate: number;
}
