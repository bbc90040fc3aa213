import { defineFlags, flag, hideUrlPassword } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import { integer, text } from "../config/kinds.ts";

/** The flags of mesos-local-master. */
export const localMasterFlags = defineFlags({
  ip: flag(text, { summary: "Address to bind.", default: "127.0.0.1" }),
  port: flag(integer(0, 65_535), { summary: "Port to bind; 0 is any free one.", default: 5050 }),
  advertise_ip: flag(text, { summary: "Address that agents and schedulers are told, when it is not the bound one." }),
  hostname: flag(text, { summary: "Host name shown to others; the address when not given." }),
  zk: flag(text, {
    summary: "ZooKeeper group to be a candidate in: `zk://[user:password@]host1:port1,host2:port2/path`.",
    mask: hideUrlPassword,
  }),
  ...helpFlags,
});
