import { create } from "@bufbuild/protobuf";
import type { Clock } from "../base/clock.ts";
import { UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type LoadedFlags, originOf } from "../config/parse.ts";
import { DEFAULT_LIMITS } from "../libprocess/inbound-limits.ts";
import { readPeerMatch } from "../libprocess/peer-match.ts";
import { Process } from "../libprocess/process.ts";
import { createTls } from "../libprocess/tls.ts";
import { readTlsSettings } from "../libprocess/tls-settings.ts";
import { attributeText, parseAttributes } from "../mesos/attributes.ts";
import { type AgentInfo, AgentInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { gatherAddressFacts, reverseName } from "./address/gather.ts";
import { type AddressFacts, type Given, planAddress, planHostname } from "./address/plan.ts";
import type { FaultDomain } from "./flags/cluster.ts";
import type { AgentFlagTable } from "./flags/table.ts";
import { readContainerLimits } from "./resources/container-limits.ts";
import { planResources } from "./resources/detect.ts";
import { holdDisks } from "./resources/disks.ts";
import { measureMachineSize, readSystemFile } from "./resources/machine.ts";

export interface BindInput {
  readonly flags: LoadedFlags<AgentFlagTable>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Of all rooms. */
  readonly log: Logger;
}

/** A setting with the name under which it was given. */
function given<T>(input: BindInput, name: keyof AgentFlagTable & string, value: T | undefined): Given<T> | undefined {
  if (value === undefined) return undefined;
  return { value, from: originOf(input.flags, name).written };
}

async function addressFacts(input: BindInput): Promise<AddressFacts> {
  const { values } = input.flags;
  return await gatherAddressFacts({
    ip: given(input, "ip", values.ip),
    ipDiscoveryCommand: given(input, "ip_discovery_command", values.ip_discovery_command),
    port: given(input, "port", values.port) ?? { value: 5051, from: "default" },
    advertiseIp: given(input, "advertise_ip", values.advertise_ip),
    advertisePort: given(input, "advertise_port", values.advertise_port),
    hostname: given(input, "hostname", values.hostname),
    hostnameLookup: values.hostname_lookup,
    master: values.master ?? "",
    environment: input.environment,
  });
}

/** Half of the descriptors that this process may have: the rest is for tasks and files. */
function connectionLimits(limits: string | undefined): { connections?: number; connectionsPerAddress?: number } {
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(files) || files / 2 >= DEFAULT_LIMITS.connections) return {};
  return { connections: Math.floor(files / 2), connectionsPerAddress: Math.ceil(files / 8) };
}

const domainOf = ({ region, zone }: FaultDomain) => ({
  faultDomain: { region: { name: region }, zone: { name: zone } },
});

/** Binds the port and says who this agent is. */
export async function bind(input: BindInput): Promise<{ process: Process; info: AgentInfo }> {
  const { clock, environment, flags } = input;
  const { values } = flags;
  const log = input.log.named("slave.cpp");
  const facts = await addressFacts(input);
  const address = planAddress(facts);
  for (const line of address.lines) log.info(line);
  for (const warning of address.warnings) log.warn(warning);
  const settings = readTlsSettings(environment);
  if (values.require_master_certificate && settings?.verify !== true) {
    throw new UserError(
      "--require_master_certificate without certificates that are checked",
      "set LIBPROCESS_SSL_ENABLED=true and LIBPROCESS_SSL_VERIFY_CERT=true, with key, certificate and authority",
    );
  }
  const tls = settings === undefined ? undefined : await createTls(settings, { clock, log, source: address.bind.ip });
  const process = await Process.start({
    id: "slave(1)",
    ...address,
    log: input.log.named("process.cpp"),
    clock,
    tls,
    requirePeerMatch: readPeerMatch(environment),
    limits: { inbound: connectionLimits(readSystemFile("/proc/self/limits")) },
  });
  const name = planHostname(facts, process.self.ip, await reverseName(process.self.ip));
  const { work_dir: workDir } = values;
  const offered = planResources({
    given: values.resources,
    defaultRole: values.default_role,
    machine: measureMachineSize(workDir),
    limits: readContainerLimits(readSystemFile),
    ignoreLimits: values.detect_host_resources,
  });
  holdDisks(offered.resources, workDir);
  for (const line of [...offered.lines, name.line]) log.info(line);
  for (const warning of offered.warnings) log.warn(warning);
  const attributes = parseAttributes(values.attributes ?? "");
  log.info(
    `Agent attributes: [ ${attributes.map((attribute) => `${attribute.name}=${attributeText(attribute)}`).join(", ")} ]`,
  );
  const info = create(AgentInfoSchema, {
    hostname: name.hostname,
    port: process.self.port,
    checkpoint: true,
    resources: offered.resources,
    attributes,
    ...(values.domain !== undefined && { domain: domainOf(values.domain) }),
  });
  return { process, info };
}
