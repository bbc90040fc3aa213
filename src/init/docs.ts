import { cell } from "../config/docs.ts";
import { PROFILES, type Variable, type VariableGroup, variables } from "./variables.ts";

const TITLES: Readonly<Record<VariableGroup, string>> = {
  container: "The container",
  mesos: "The agent",
  "logstash-forwarder": "Logstash-Forwarder",
  redpill: "Redpill",
  supervisord: "supervisord",
};

const code = (text: string): string => `\`${text}\``;

function defaultText(variable: Variable): string {
  if (variable.computed !== undefined) return variable.computed;
  if (variable.default !== undefined) return code(variable.default);
  const profiles = PROFILES.filter((profile) => variable.profile?.[profile] !== undefined);
  return profiles.map((profile) => `${profile}: ${code(variable.profile?.[profile] ?? "")}`).join(", ");
}

function summaryText(variable: Variable): string {
  const parts = [variable.summary];
  if (variable.command)
    parts.push(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the user writes
      "A Python format string for supervisord: `%%` is a percent sign. No shell, but `$NAME` and `${NAME}` of a variable that is documented here or in flags.md stand for its value.",
    );
  if (variable.seconds) parts.push("Or a duration: `30secs`, `5mins`, `5m`.");
  if (variable.inFile)
    parts.push(
      `The agent reads it from a file: ${code(`${variable.name}_FILE`)} names yours, a value given as text is put into one.`,
    );
  else if (variable.mask)
    parts.push(`May hold a secret: ${code(`${variable.name}_FILE`)} names a file with the value.`);
  if (variable.formerly) parts.push(`Also ${variable.formerly.map(code).join(", ")}.`);
  if (variable.slips) parts.push(`Taken with a warning: ${variable.slips.map(code).join(", ")}.`);
  if (variable.ignored) parts.push(`Ignored: ${variable.ignored}.`);
  return parts.join(" ");
}

/** docs/variables.md, from the table. */
export function variablesDocs(): string {
  const lines = [
    "# Environment variables of the container",
    "",
    "Generated from `src/init/variables.ts`. An empty value counts as unset. Every flag of the agent can be given as `MESOS_NAME`",
    "([flags.md](flags.md)); a `MESOS_*`, `SERVICE_*` or `LIBPROCESS_*` variable that nothing reads is named at start, with the",
    "nearest known name. `docker run IMAGE init --dry-run` prints every setting and where it is from.",
    "",
    "`ENVIRONMENT` chooses a profile: `local`, `prod` or `production`, `dev` or `development`, `debug`, in any case.",
  ];
  for (const [group, title] of Object.entries(TITLES)) {
    lines.push("", `## ${title}`, "", "| Variable | Default | |", "|---|---|---|");
    for (const variable of variables.filter((each) => each.group === group))
      lines.push(`| ${code(variable.name)} | ${cell(defaultText(variable))} | ${cell(summaryText(variable))} |`);
  }
  return `${lines.join("\n")}\n`;
}
