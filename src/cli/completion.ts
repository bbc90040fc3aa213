import { type Command, type CommandName, commandNames, commands } from "./commands.ts";
import { PROGRAM } from "./help.ts";

/** Both names of the program. */
const PROGRAMS = [PROGRAM, "mesos-agent"];

function flagWords(name: CommandName): string[] {
  const { flags }: Command = commands[name];
  return Object.entries(flags).flatMap(([long, { short, kind }]) => [
    ...(short === undefined ? [] : [`-${short}`]),
    kind.isSwitch ? `--${long}` : `--${long}=`,
  ]);
}

/** What may stand at an operand's place: words, or what the shell finds out. */
function candidates({ kind, name }: Command["operands"][number]): string {
  if (kind === "task") return `$(${PROGRAM} tasks --quiet 2>/dev/null)`;
  if (kind === "stream" || kind === "shell") return name.replaceAll("|", " ");
  if (kind === "name") return commandNames.join(" ");
  return "";
}

/** `case` branches for both shells: the flags, and what the first and second operand may be. */
function branches(): string[] {
  return commandNames.map((name) => {
    const { operands }: Command = commands[name];
    const [first, second] = operands.map(candidates);
    return `    ${name}) flags="${flagWords(name).join(" ")}" first="${first ?? ""}" second="${second ?? ""}" ;;`;
  });
}

/** What both do: count the words before the cursor that are no flags, and choose. `word`, `words`, `at`: as the shell has them. */
function choose(words: string, at: string, firstIndex: number): string[] {
  return [
    "  local flags= first= second= choices= operands=0 index",
    `  case "\${${words}[${firstIndex}]}" in`,
    ...branches(),
    "    *) return ;;",
    "  esac",
    `  for ((index = ${firstIndex + 1}; index < ${at}; index++)); do`,
    `    case "\${${words}[index]}" in --) return ;; -*) ;; *) operands=$((operands + 1)) ;; esac`,
    "  done",
    `  case "$operands" in 0) choices=$first ;; 1) choices=$second ;; esac`,
  ];
}

const bash = (): string[] => [
  `# Completion of ${PROGRAM}'s commands for bash`,
  "_mesos_slave() {",
  `  local word="\${COMP_WORDS[COMP_CWORD]}"`,
  '  if [ "$COMP_CWORD" -eq 1 ]; then',
  `    COMPREPLY=($(compgen -W "${commandNames.join(" ")}" -- "$word"))`,
  "    return",
  "  fi",
  ...choose("COMP_WORDS", "COMP_CWORD", 1),
  '  case "$word" in -*) choices=$flags ;; esac',
  '  COMPREPLY=($(compgen -W "$choices" -- "$word"))',
  `  case "\${COMPREPLY[*]}" in *=) compopt -o nospace ;; esac`,
  "}",
  ...PROGRAMS.map((program) => `complete -F _mesos_slave ${program}`),
];

const zsh = (): string[] => [
  `#compdef ${PROGRAMS.join(" ")}`,
  `# Completion of ${PROGRAM}'s commands for zsh`,
  "_mesos_slave() {",
  "  if ((CURRENT == 2)); then",
  `    compadd -- ${commandNames.join(" ")}`,
  "    return",
  "  fi",
  ...choose("words", "CURRENT", 2),
  `  case "\${words[CURRENT]}" in -*) choices=$flags ;; esac`,
  `  compadd -- \${=choices}`,
  "}",
  `compdef _mesos_slave ${PROGRAMS.join(" ")}`,
];

/** The completion script of a shell. */
export const completionText = (shell: string): string => `${(shell === "zsh" ? zsh() : bash()).join("\n")}\n`;
