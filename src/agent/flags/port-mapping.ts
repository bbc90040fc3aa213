import { defineFlags, flag, ignored } from "../../config/flag.ts";
import { boolean, text } from "../../config/kinds.ts";

const status = ignored("only the isolator network/port_mapping reads it, which does not exist here");

/** The isolator network/port_mapping, which Mesos itself only has in special builds. 1.12.0 stands for what came after 1.11. */
export const portMappingFlags = defineFlags({
  eth0_name: flag(text, { summary: "Public network interface.", status }),
  lo_name: flag(text, { summary: "Loopback interface.", status }),
  egress_rate_limit_per_container: flag(text, { summary: "Outgoing bytes a second.", status }),
  egress_unique_flow_per_container: flag(boolean, {
    summary: "A traffic flow for each container.",
    default: false,
    status,
  }),
  egress_flow_classifier_parent: flag(text, {
    summary: "Parent of the traffic classifier.",
    since: "0.27.0",
    default: "root",
    status,
  }),
  network_enable_socket_statistics_summary: flag(boolean, { summary: "Summary of sockets.", default: false, status }),
  network_enable_socket_statistics_details: flag(boolean, { summary: "Details of sockets.", default: false, status }),
  network_enable_snmp_statistics: flag(boolean, { summary: "SNMP counters.", since: "0.28.0", default: false, status }),
  egress_rate_per_cpu: flag(text, { summary: "Outgoing bytes a second and CPU.", since: "1.12.0", status }),
  minimum_egress_rate_limit: flag(text, { summary: "At least.", since: "1.12.0", status }),
  maximum_egress_rate_limit: flag(text, { summary: "At most.", since: "1.12.0", status }),
  egress_ceil_limit: flag(text, { summary: "Ceiling of bursts.", since: "1.12.0", status }),
  egress_burst: flag(text, { summary: "Size of bursts.", since: "1.12.0", status }),
  ingress_rate_limit_per_container: flag(text, { summary: "Incoming bytes a second.", since: "1.12.0", status }),
  ingress_rate_per_cpu: flag(text, { summary: "Incoming bytes a second and CPU.", since: "1.12.0", status }),
  minimum_ingress_rate_limit: flag(text, { summary: "At least.", since: "1.12.0", status }),
  maximum_ingress_rate_limit: flag(text, { summary: "At most.", since: "1.12.0", status }),
  ingress_ceil_limit: flag(text, { summary: "Ceiling of bursts.", since: "1.12.0", status }),
  ingress_burst: flag(text, { summary: "Size of bursts.", since: "1.12.0", status }),
  ingress_isolate_existing_containers: flag(boolean, {
    summary: "Also limit containers that run already.",
    since: "1.12.0",
    default: true,
    status,
  }),
  network_link_speed: flag(text, { summary: "Speed of the interface.", since: "1.12.0", status }),
  network_enable_rate_statistics: flag(boolean, { summary: "Rates.", since: "1.12.0", default: false, status }),
  network_rate_statistics_window: flag(text, { summary: "Over how long.", since: "1.12.0", status }),
  network_rate_statistics_interval: flag(text, { summary: "How often.", since: "1.12.0", status }),
});
