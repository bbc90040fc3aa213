import { UserError } from "../../base/errors.ts";
import { defineFlags, flag, hideUrlPassword, ignored, refused } from "../../config/flag.ts";
import { anyObject, boolean, duration, integer, json, oneOf, path, text, textOrFile } from "../../config/kinds.ts";

const PORT = integer(0, 65_535);

export interface FaultDomain {
  readonly region: string;
  readonly zone: string;
}

/** DomainInfo in JSON: only the fault domain is defined by Mesos. */
function faultDomain(value: unknown): FaultDomain {
  const shape = 'write {"fault_domain": {"region": {"name": "…"}, "zone": {"name": "…"}}}';
  const domain = anyObject(value)["fault_domain"];
  if (domain === undefined) throw new UserError("`domain` must define `fault_domain`", shape);
  const named = (part: "region" | "zone"): string => {
    const name = anyObject(anyObject(domain)[part] ?? {})["name"];
    if (typeof name === "string" && name !== "") return name;
    throw new UserError(`the fault domain has no ${part} with a name`, shape);
  };
  return { region: named("region"), zone: named("zone") };
}

/** Finding a master, being found, and registering. */
export const clusterFlags = defineFlags({
  master: flag(textOrFile, {
    summary:
      "Where the master is: `host:port`, `zk://[user:password@]host1:port1,host2:port2/path`, `file:///path` of a file " +
      "that holds one of these, or `local` for an embedded development master.",
    mask: hideUrlPassword,
  }),
  master_detector: flag(text, {
    summary: "Name of the module that finds the master.",
    since: "1.0.0",
    status: refused("modules are C++ libraries; use --master"),
  }),
  zk_session_timeout: flag(duration, { summary: "ZooKeeper's session timeout.", since: "1.5.0", default: 10_000 }),
  ip: flag(text, {
    summary:
      "Address to bind, which is also announced unless --advertise_ip says otherwise. Not with --ip_discovery_command.",
  }),
  ip_discovery_command: flag(text, { summary: "Shell command that prints the address to bind." }),
  port: flag(PORT, { summary: "Port to bind; 0 is any free one.", default: 5051 }),
  advertise_ip: flag(text, {
    summary: "Address announced to the master, when it is not the bound one.",
    since: "0.27.0",
  }),
  advertise_port: flag(PORT, {
    summary: "Port announced to the master, when it is not the bound one.",
    since: "0.27.0",
  }),
  ip6: flag(text, {
    summary: "IPv6 address for containers in the host's network.",
    since: "1.4.0",
    status: ignored("only told to executors, and no executor of ours asks"),
  }),
  ip6_discovery_command: flag(text, {
    summary: "Shell command that prints that IPv6 address.",
    since: "1.4.0",
    status: ignored("only told to executors, and no executor of ours asks"),
  }),
  hostname: flag(text, {
    summary: "Name announced to masters and frameworks; else looked up from the address.",
  }),
  hostname_lookup: flag(boolean, {
    summary: "Look the name of the announced address up; if not, the address itself is the hostname.",
    since: "0.25.0",
    default: true,
  }),
  domain: flag(json(faultDomain), { summary: "Fault domain (region and zone) of this node, as JSON.", since: "1.4.0" }),
  registration_backoff_factor: flag(duration, {
    summary: "The first attempt to register waits a random time up to this; doubled for each next one. At most 1mins.",
    default: 1_000,
  }),
  authenticatee: flag(oneOf("crammd5"), { summary: "How to authenticate with the master.", default: "crammd5" }),
  credential: flag(path, {
    summary:
      'File with the credential for the master: JSON {"principal", "secret"}, or one line `principal secret`. Read again on SIGHUP.',
  }),
  authentication_backoff_factor: flag(duration, {
    summary: "Base of the back-off between attempts to authenticate.",
    since: "1.0.0",
    default: 1_000,
  }),
  authentication_timeout_min: flag(duration, {
    summary: "Timeout of the first attempt to authenticate.",
    since: "1.7.0",
    default: 5_000,
  }),
  authentication_timeout_max: flag(duration, {
    summary: "The timeout of an attempt to authenticate grows up to this.",
    since: "1.7.0",
    default: 60_000,
  }),
  agent_features: flag(json(anyObject), {
    summary: "Capabilities to announce.",
    since: "1.5.0",
    status: ignored("this agent announces what it can do"),
  }),
});
