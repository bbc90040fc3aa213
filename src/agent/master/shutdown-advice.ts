/**
 * What masters write into a ShutdownMessage (0.24 … 1.11, 'slave' or 'agent'), and what an operator can do about it. The
 * text is all that they tell; it decides nothing, it only makes the log useful.
 */
const ADVICE: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/is not authenticated/i, "the master wants agents to authenticate: give a --credential that its --credentials has"],
  [/not authorized/i, "the principal may not register agents: see register_agents in the master's --acls"],
  [
    /re-?register after removal|from unknown (slave|agent)|unknown (slave|agent) id/i,
    "the master has removed this agent id and takes no agent back (before 1.1): started again, it registers as a new agent",
  ],
  [
    /different IP|hostname/i,
    "the agent came back with its old id at another address or under another host name: give it the former ones " +
      "(--ip, --hostname, --advertise_ip), or let it start as a new agent, without meta/slaves/latest in its work_dir",
  ],
  [
    /health check timed out/i,
    "the agent did not answer pings for the whole ping timeout: it was frozen, cut off, or came back at another port " +
      "while the master went on pinging the former one (keep the --port)",
  ],
  [/marked gone/i, "an operator marked this agent gone: its id is refused for ever; it can come back as a new agent"],
  [/is `?DOWN/i, "the machine is in maintenance: POST /machine/up at the master when that is over"],
  [/duplicate (slave|agent) id/i, "the master gave the same id twice: its registry needs a look"],
];

/** What to do about a ShutdownMessage with this text; undefined when it says nothing that is known. */
export function shutdownAdvice(message: string): string | undefined {
  return ADVICE.find(([pattern]) => pattern.test(message))?.[1];
}
