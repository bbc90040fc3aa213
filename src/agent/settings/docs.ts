import { flagsPage } from "../../config/docs.ts";
import { agentFlagGroups } from "../flags/table.ts";
import { isolators } from "../isolators/table.ts";

const introduction = `
Made by \`npm run docs\` from the tables in src/agent/flags/.

Every flag of the agent of Mesos 0.23 to 1.11 is known. Give one as \`--name=value\` or as the variable beside it; the
command line wins. A boolean is also \`--name\` or \`--no-name\`. A value that begins with \`file://\` is read from that file;
JSON may also be the absolute path of a file. Durations are a number and \`ns\`, \`us\`, \`ms\`, \`secs\`, \`mins\`, \`hrs\`, \`days\` or
\`weeks\` (and, unlike the C++ agent, \`sec\`, \`min\`, \`hr\`, \`hour\`, \`day\`, \`week\`); sizes a whole number and \`B\`, \`KB\`, \`MB\`,
\`GB\` or \`TB\`.

- **ignored**: accepted; a value other than the default is answered by a warning.
- **refused**: a value other than the default ends the start, because ignoring it would break what it promises.

An unknown flag ends the start, an unknown \`MESOS_*\` variable is a warning; both come with the nearest known name.
`;

function isolatorLines(): string[] {
  const rows = Object.entries(isolators).map(([name, { status }]) =>
    status.kind === "supported"
      ? `| \`${name}\` | supported |`
      : `| \`${name}\` | **${status.kind}**: ${status.reason} |`,
  );
  return ["## Isolators for `--isolation`", "", "| Name | Here |", "|---|---|", ...rows];
}

/** docs/flags.md */
export function agentFlagsPage(): string {
  const page = flagsPage({ title: "The agent's flags", introduction, prefix: "MESOS_", groups: agentFlagGroups });
  return `${page}\n${isolatorLines().join("\n")}\n`;
}
