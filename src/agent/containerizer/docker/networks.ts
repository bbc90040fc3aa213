import * as z from "zod";
import { UserError } from "../../../base/errors.ts";
import type { CreateRequest } from "../../../docker/create-request.ts";
import { has } from "../../../mesos/codec.ts";
import {
  type ContainerInfo,
  type ContainerInfo_DockerInfo,
  ContainerInfo_DockerInfo_Network as Network,
  type Resource,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { rangesOf } from "./resource-settings.ts";

/** The argument of `--net` for a container (§7.3). Host is the default. Throws a UserError. */
export function networkMode(container: ContainerInfo, docker: ContainerInfo_DockerInfo): string {
  switch (has(docker, "network") ? docker.network : Network.HOST) {
    case Network.HOST:
      return "host";
    case Network.BRIDGE:
      return "bridge";
    case Network.NONE:
      return "none";
    case Network.USER: {
      const [info, another] = container.networkInfos;
      if (another !== undefined) throw new UserError("a docker container can have a single network_infos entry");
      if (info === undefined || info.name === "") {
        throw new UserError("network USER needs the network's name", "give one network_infos entry with a name");
      }
      return info.name;
    }
    default:
      throw new UserError(`unsupported docker network mode ${docker.network}`, "use HOST, BRIDGE, NONE or USER");
  }
}

type Ports = Pick<CreateRequest, "ExposedPorts"> & { readonly bindings: CreateRequest["HostConfig"]["PortBindings"] };

/** Port mappings, which must lie in the task's `ports`. Throws a UserError. */
export function portSettings(docker: ContainerInfo_DockerInfo, mode: string, resources: readonly Resource[]): Ports {
  const exposed: NonNullable<CreateRequest["ExposedPorts"]> = {};
  const bindings: NonNullable<Ports["bindings"]> = {};
  if (docker.portMappings.length === 0) return { bindings: undefined };
  if (mode === "host" || mode === "none") {
    throw new UserError(
      "Port mappings are only supported for bridge and user-defined networks",
      `network is ${mode}: use BRIDGE or USER, or leave the mappings out`,
    );
  }
  const ranges = rangesOf(resources, "ports");
  if (ranges.length === 0) throw new UserError("Port mappings require port resources");
  for (const { hostPort, containerPort, protocol } of docker.portMappings) {
    if (!ranges.some(({ begin, end }) => hostPort >= begin && hostPort <= end)) {
      throw new UserError(`Port [${hostPort}] not included in resources`);
    }
    const port = `${containerPort}/${protocol.toLowerCase() || "tcp"}`;
    exposed[port] = {};
    bindings[port] = [...(bindings[port] ?? []), { HostIp: "", HostPort: String(hostPort) }];
  }
  return { ExposedPorts: exposed, bindings };
}

const dnsSchema = z.object({
  nameservers: z.array(z.string()).default([]),
  search: z.array(z.string()).default([]),
  options: z.array(z.string()).default([]),
});
const dnsInfoSchema = z.object({
  docker: z
    .array(
      z.object({
        network_mode: z.enum(["UNKNOWN", "HOST", "BRIDGE", "USER"]).default("UNKNOWN"),
        network_name: z.string().optional(),
        dns: dnsSchema,
      }),
    )
    .default([]),
});

/** The docker part of `--default_container_dns`. */
export type ContainerDns = z.infer<typeof dnsInfoSchema>["docker"];

/** Reads `--default_container_dns`. Throws a UserError. */
export function parseContainerDns(value: unknown): ContainerDns {
  const result = dnsInfoSchema.safeParse(value);
  if (result.success) return result.data.docker;
  const issue = result.error.issues[0];
  throw new UserError(`default_container_dns: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** The DNS settings that the agent adds for bridge and user networks, unless the task set any itself. */
export function defaultDns(
  defaults: ContainerDns,
  docker: ContainerInfo_DockerInfo,
  mode: string,
): { Dns?: string[]; DnsSearch?: string[]; DnsOptions?: string[] } {
  const own = docker.parameters.some(({ key }) => ["dns", "dns-search", "dns-opt", "dns-option"].includes(key));
  if (own || (docker.network !== Network.BRIDGE && docker.network !== Network.USER)) return {};
  const of = (network: string, name?: string): ContainerDns[number] | undefined =>
    defaults.findLast((one) => one.network_mode === network && one.network_name === name);
  const found =
    docker.network === Network.BRIDGE
      ? defaults.findLast((one) => one.network_mode === "BRIDGE")
      : (of("USER", mode) ?? of("USER"));
  if (found === undefined) return {};
  return { Dns: found.dns.nameservers, DnsSearch: found.dns.search, DnsOptions: found.dns.options };
}
