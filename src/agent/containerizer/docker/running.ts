import { create } from "@bufbuild/protobuf";
import type { ContainerDetails } from "../../../docker/engine.ts";
import { copyOf } from "../../../mesos/copy.ts";
import {
  ContainerIDSchema,
  type ContainerInfo,
  type ContainerStatus,
  ContainerStatusSchema,
  type NetworkInfo,
  NetworkInfo_IPAddressSchema,
  NetworkInfo_Protocol,
  NetworkInfoSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";

/** The ContainerStatus of a running container: its addresses and the process id (§7.5). */
export function containerStatus(
  containerId: string,
  details: ContainerDetails,
  container: ContainerInfo | undefined,
): ContainerStatus {
  const { pid } = details.state;
  return create(ContainerStatusSchema, {
    containerId: create(ContainerIDSchema, { value: containerId }),
    networkInfos: networkInfos(details, container),
    ...(pid === undefined ? {} : { executorPid: pid }),
  });
}

/** At most one, with the task's own name, groups and labels; none on the host's network. */
function networkInfos(details: ContainerDetails, container: ContainerInfo | undefined): NetworkInfo[] {
  const { ipv4, ipv6 } = details.addresses;
  if (ipv4 === undefined && ipv6 === undefined) return [];
  const asked = container?.networkInfos[0];
  const address = (protocol: NetworkInfo_Protocol, ipAddress: string) =>
    create(NetworkInfo_IPAddressSchema, { protocol, ipAddress });
  const info = asked === undefined ? create(NetworkInfoSchema) : copyOf(asked);
  info.ipAddresses = [
    ...(ipv4 === undefined ? [] : [address(NetworkInfo_Protocol.IPv4, ipv4)]),
    ...(ipv6 === undefined ? [] : [address(NetworkInfo_Protocol.IPv6, ipv6)]),
  ];
  return [info];
}

/**
 * The `data` of TASK_RUNNING: what `docker inspect` prints, an array of one, which Marathon and mesos-dns read. Docker 29
 * dropped `NetworkSettings.IPAddress`, which they look for: it is put back. Variables that are `secret` are left out: masters
 * and frameworks keep this, and show it.
 */
export function inspectData(details: ContainerDetails, secret: ReadonlySet<string> = new Set()): Uint8Array {
  const { ipv4 } = details.addresses;
  const parsed = JSON.parse(details.raw) as Inspected;
  const lacksAddress = ipv4 !== undefined && !parsed.NetworkSettings?.["IPAddress"];
  const environment = parsed.Config?.Env ?? [];
  const shown = environment.filter((variable) => !secret.has(variable.split("=", 1)[0] ?? ""));
  if (!lacksAddress && shown.length === environment.length) return new TextEncoder().encode(`[${details.raw.trim()}]`);
  if (lacksAddress) parsed.NetworkSettings = { ...parsed.NetworkSettings, IPAddress: ipv4 };
  if (shown.length < environment.length) parsed.Config = { ...parsed.Config, Env: shown };
  return new TextEncoder().encode(JSON.stringify([parsed]));
}

interface Inspected {
  NetworkSettings?: Record<string, unknown>;
  Config?: { Env?: readonly string[] | null };
}

/** The label of TASK_RUNNING that mesos-dns reads: `Docker.NetworkSettings.IPAddress`. */
export function runningLabels(details: ContainerDetails): Record<string, string> {
  const { ipv4 } = details.addresses;
  return ipv4 === undefined ? {} : { "Docker.NetworkSettings.IPAddress": ipv4 };
}
