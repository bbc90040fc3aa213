import { randomUUID } from "node:crypto";
import { isIPv4 } from "node:net";
import { create } from "@bufbuild/protobuf";
import { decode } from "../mesos/codec.ts";
import { type MasterInfo, MasterInfo_Capability_Type, MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { decodeJson } from "../mesos/json.ts";
import type { Member } from "./members.ts";

/** MasterInfo.ip: the address in network byte order, read as a little-endian number. 10.0.0.1 is 16777226. */
export function ipNumber(ip: string): number {
  if (!isIPv4(ip)) throw new Error(`'${ip}' is not an IPv4 address`);
  const [a = 0, b = 0, c = 0, d = 0] = ip.split(".").map(Number);
  return a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24;
}

/** The dotted quad of a MasterInfo.ip. */
export function ipText(number: number): string {
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 0xff).join(".");
}

/**
 * The MasterInfo of a master that is only known by address. As a 1.11.0 agent does, it is credited with every
 * capability; its version stays unset.
 */
export function fixedMasterInfo(id: string, host: string, ip: string, port: number): MasterInfo {
  const pid = `${id}@${ip}:${port}`;
  const { AGENT_UPDATE, AGENT_DRAINING, QUOTA_V2 } = MasterInfo_Capability_Type;
  return create(MasterInfoSchema, {
    id: `${pid}-${randomUUID()}`,
    ip: ipNumber(ip),
    port,
    pid,
    hostname: host,
    address: { hostname: host, ip, port },
    capabilities: [AGENT_UPDATE, AGENT_DRAINING, QUOTA_V2].map((type) => ({ type })),
  });
}

/**
 * The leader's MasterInfo from its znode: JSON since 0.24, protobuf before, the bare address before 0.18. Without a pid
 * it is put together from ip and port. Throws an Error that says what is wrong with the content.
 */
export function readMasterInfo(member: Member, content: Buffer): MasterInfo {
  switch (member.label) {
    case "json.info":
      return withPid(decodeJson(MasterInfoSchema, content, { v0: true }));
    case "info":
      return withPid(decode(MasterInfoSchema, content));
    case undefined: {
      const text = content.toString("utf8").trim();
      const match = /^([^@\s]+)@(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$/.exec(text);
      const [, id, ip, port] = match ?? [];
      if (id === undefined || ip === undefined || !isIPv4(ip))
        throw new Error(`'${text.slice(0, 100)}' is not the address of a master`);
      return create(MasterInfoSchema, { id: text, ip: ipNumber(ip), port: Number(port), pid: text });
    }
    default:
      throw new Error(`label '${member.label}' is of a kind that Mesos up to 1.11 does not write`);
  }
}

function withPid(info: MasterInfo): MasterInfo {
  if (info.pid === "") info.pid = `master@${ipText(info.ip)}:${info.port}`;
  return info;
}
