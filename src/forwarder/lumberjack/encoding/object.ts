import { type JsonMember, memberOf, plainValue } from "../../model/json-members.ts";
import type { Version } from "../../model/settings.ts";
import { type Constants, constantPairs, encodePair } from "./template.ts";

/** The payload of one D frame (without its number of pairs) or J frame. */
export interface Payload {
  readonly bytes: Buffer;
  /** Pairs of version 1; 0 in version 2. */
  readonly pairs: number;
}

/** Pairs with the last of those that have the same key: version 1 has each key once. */
export function pairsPayload(members: readonly JsonMember[]): Payload {
  const last = new Map(members.map((member) => [member.key, member]));
  const pairs = [...last].map(([key, member]) => encodePair(key, plainValue(member)));
  return { bytes: Buffer.concat(pairs), pairs: pairs.length };
}

export const jsonPayload = (members: readonly JsonMember[]): Payload => ({
  bytes: Buffer.from(`{${members.map(({ text }) => text).join(",")}}`),
  pairs: 0,
});

/**
 * An event with members of its own, which win over ours and go out as they stand in the log. `time` is what version 2
 * carries as `@timestamp` unless the event brings its own; `line` the text of the event.
 */
export function objectPayload(
  version: Version,
  constants: Constants,
  event: { readonly time: string; readonly offset: number; readonly line: string },
  extra: readonly JsonMember[],
): Payload {
  const given = new Set(extra.map(({ key }) => key));
  const ours: [string, string | number][] = version === 2 ? [["@timestamp", event.time]] : [];
  ours.push(...constantPairs(constants, version), ["offset", event.offset]);
  const members = ours.filter(([key]) => !given.has(key)).map(([key, value]) => memberOf(key, value));
  members.push(...extra);
  if (version === 2) return jsonPayload(given.has("message") ? members : [...members, memberOf("message", event.line)]);
  const message = extra.findLast(({ key }) => key === "message");
  if (!given.has("line"))
    members.push(message === undefined ? memberOf("line", event.line) : { ...message, key: "line" });
  return pairsPayload(members);
}
