/** Where a probe looks. */
const places = {
  exec: "in the container (`docker exec`)",
  launcher: "beside the task, as its user",
  machine: "the agent's own loopback",
  namespace: "the container's loopback, entered",
  address: "the container's address",
  nothing: "nowhere: the check fails and says why",
} as const;
export type Place = keyof typeof places;

export interface ProbePlaces {
  readonly containerizer: "docker" | "mesos";
  readonly network: string;
  /** Command checks. */
  readonly command: Place;
  /** HTTP, HTTPS and TCP, when the agent sees the container's processes in its /proc. */
  readonly seen: Place;
  /** … and when it does not: an agent in a container without the host's pids, a daemon of another machine. */
  readonly unseen: Place;
}

/** Which probe looks where: of health checks and generic checks alike. Held to the code by reach.test.ts. */
export const probePlaces: readonly ProbePlaces[] = [
  { containerizer: "docker", network: "HOST", command: "exec", seen: "machine", unseen: "machine" },
  { containerizer: "docker", network: "BRIDGE", command: "exec", seen: "namespace", unseen: "address" },
  { containerizer: "docker", network: "USER", command: "exec", seen: "namespace", unseen: "address" },
  { containerizer: "docker", network: "NONE", command: "exec", seen: "namespace", unseen: "nothing" },
  { containerizer: "docker", network: "another container's", command: "exec", seen: "namespace", unseen: "nothing" },
  { containerizer: "mesos", network: "the agent's", command: "launcher", seen: "machine", unseen: "machine" },
];

/** The table of docs/docker.md. */
export function probePlacesBlock(): string {
  const rows = probePlaces.map(
    ({ containerizer, network, command, seen, unseen }) =>
      `| ${containerizer} | ${network} | ${places[command]} | ${places[seen]} | ${places[unseen]} |`,
  );
  return [
    "| containerizer | network | command | HTTP, HTTPS, TCP | … when the agent does not see the container's processes |",
    "|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}
