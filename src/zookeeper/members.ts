/** A child of the group's path: somebody who leads or would like to. */
export interface Member {
  /** The whole name of the znode. */
  readonly name: string;
  /** `json.info`, `info`, or undefined for names that are digits only. */
  readonly label: string | undefined;
  /** Order of arrival; only its order means anything. */
  readonly sequence: bigint;
}

/**
 * The member that a child's name stands for; undefined for what is no member (`log_replicas`). As Mesos splits it: at
 * every `_`, the last part is the decimal sequence, the first the label when there is more than one.
 */
export function parseMember(name: string): Member | undefined {
  const parts = name.split("_").filter((part) => part !== "");
  const last = parts.at(-1) ?? "";
  if (!/^\d{1,19}$/.test(last)) return undefined;
  return { name, label: parts.length > 1 ? parts[0] : undefined, sequence: BigInt(last) };
}

/** Who leads: the lowest sequence, whatever its label. */
export function leaderOf(children: readonly string[]): Member | undefined {
  let leader: Member | undefined;
  for (const child of children) {
    const member = parseMember(child);
    if (member !== undefined && (leader === undefined || member.sequence < leader.sequence)) leader = member;
  }
  return leader;
}
