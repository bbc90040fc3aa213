import { UserError } from "../../base/errors.ts";
import { endpoint, type RunDraft } from "./draft.ts";
import type { RunOption } from "./table.ts";
import { csvValue, flagValue, pairValue, portProtocol, portRange } from "./values.ts";

const addDns =
  (key: "Dns" | "DnsOptions" | "DnsSearch"): RunOption =>
  ({ host }, value) => {
    host[key] = [...(host[key] ?? []), value];
  };

/** Options about networks. They are applied after `network` itself, whatever their order. */
export const networkOptions: Readonly<Record<string, RunOption>> = {
  dns: addDns("Dns"),
  "dns-opt": addDns("DnsOptions"),
  "dns-option": addDns("DnsOptions"),
  "dns-search": addDns("DnsSearch"),
  expose: ({ request }, value) => {
    const { port, protocol } = portProtocol(value);
    for (const one of portRange(port)) request.ExposedPorts = { ...request.ExposedPorts, [`${one}/${protocol}`]: {} };
  },
  ip: (draft, value) => {
    const settings = endpoint(draft);
    settings.IPAMConfig = { ...settings.IPAMConfig, IPv4Address: value };
  },
  ip6: (draft, value) => {
    const settings = endpoint(draft);
    settings.IPAMConfig = { ...settings.IPAMConfig, IPv6Address: value };
  },
  link: ({ host }, value) => {
    host.Links = [...(host.Links ?? []), value];
  },
  "link-local-ip": (draft, value) => {
    const settings = endpoint(draft);
    const addresses = [...(settings.IPAMConfig?.LinkLocalIPs ?? []), value];
    settings.IPAMConfig = { ...settings.IPAMConfig, LinkLocalIPs: addresses };
  },
  "mac-address": ({ request }, value) => {
    request.MacAddress = value;
  },
  net: setNetwork,
  network: setNetwork,
  "net-alias": addAlias,
  "network-alias": addAlias,
  publish: ({ request, host }, value) => {
    for (const { container, binding } of publishedPorts(value)) {
      request.ExposedPorts = { ...request.ExposedPorts, [container]: {} };
      host.PortBindings = { ...host.PortBindings, [container]: [...(host.PortBindings?.[container] ?? []), binding] };
    }
  },
  "publish-all": ({ host }, value) => {
    host.PublishAllPorts = flagValue(value);
  },
};

function addAlias(draft: RunDraft, value: string): void {
  const settings = endpoint(draft);
  settings.Aliases = [...(settings.Aliases ?? []), value];
}

/** `name`, or `name=n,alias=a,ip=…,driver-opt=k=v`. */
function setNetwork(draft: RunDraft, value: string): void {
  if (!/^[a-z-]+[0-9]*=/.test(value)) {
    draft.host.NetworkMode = value;
    return;
  }
  const fields = csvValue(value).map(pairValue);
  const name = fields.find(([key]) => key === "name")?.[1];
  if (!name) throw new UserError(`'${value}' names no network`);
  draft.host.NetworkMode = name;
  const settings = endpoint(draft);
  for (const [key, text] of fields) {
    if (key === "name") continue;
    if (key === "alias") settings.Aliases = [...(settings.Aliases ?? []), text];
    else if (key === "ip") settings.IPAMConfig = { ...settings.IPAMConfig, IPv4Address: text };
    else if (key === "ip6") settings.IPAMConfig = { ...settings.IPAMConfig, IPv6Address: text };
    else if (key === "mac-address") draft.request.MacAddress = text;
    else if (key === "driver-opt") {
      const [option, setting] = pairValue(text);
      settings.DriverOpts = { ...settings.DriverOpts, [option]: setting };
    } else throw new UserError(`'${key}' is not a key of network`);
  }
}

/** `[[ip:]host:]container[/protocol]`, ranges on both sides, IPv6 in brackets. */
function publishedPorts(value: string): { container: string; binding: { HostIp: string; HostPort: string } }[] {
  const match = /^(?:(\[[^\]]+\]|[^:]*):)?(?:([\d-]*):)?([\d-]+(?:\/\w+)?)$/.exec(value);
  if (match === null)
    throw new UserError(`'${value}' is not a port mapping`, "write [[ip:]host-port:]container-port[/protocol]");
  const { port, protocol } = portProtocol(match[3] ?? "");
  // With one colon, what precedes it is the host's port.
  const [ip, hostPorts] = match[2] === undefined ? ["", match[1] ?? ""] : [match[1] ?? "", match[2]];
  const containers = portRange(port);
  const hosts = hostPorts === "" ? undefined : portRange(hostPorts);
  if (hosts !== undefined && hosts.length !== containers.length && containers.length > 1) {
    throw new UserError(`'${value}' maps ${hosts.length} ports to ${containers.length}`);
  }
  return containers.map((container, index) => ({
    container: `${container}/${protocol}`,
    binding: {
      HostIp: ip.replace(/^\[|\]$/g, ""),
      HostPort: containers.length === 1 ? hostPorts : String(hosts?.[index] ?? ""),
    },
  }));
}
