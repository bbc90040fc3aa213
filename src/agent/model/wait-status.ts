/** What a raw wait(2) status of an ended process says. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signaled"; readonly signal: number; readonly coreDumped: boolean };

/** strsignal(3) of glibc, C locale: signals 1 to 31 have the same numbers on x86_64 and arm64. */
const SIGNAL_TEXTS = [
  "Hangup",
  "Interrupt",
  "Quit",
  "Illegal instruction",
  "Trace/breakpoint trap",
  "Aborted",
  "Bus error",
  "Floating point exception",
  "Killed",
  "User defined signal 1",
  "Segmentation fault",
  "User defined signal 2",
  "Broken pipe",
  "Alarm clock",
  "Terminated",
  "Stack fault",
  "Child exited",
  "Continued",
  "Stopped (signal)",
  "Stopped",
  "Stopped (tty input)",
  "Stopped (tty output)",
  "Urgent I/O condition",
  "CPU time limit exceeded",
  "File size limit exceeded",
  "Virtual timer expired",
  "Profiling timer expired",
  "Window changed",
  "I/O possible",
  "Power failure",
  "Bad system call",
] as const;

/** The first and last real-time signal that glibc gives to programs. */
const [FIRST_REAL_TIME, LAST_REAL_TIME] = [34, 64];

/** The name of a signal as strsignal(3) has it: 9 is `Killed`. */
export function signalText(signal: number): string {
  const known = SIGNAL_TEXTS[signal - 1];
  if (known !== undefined) return known;
  if (signal >= FIRST_REAL_TIME && signal <= LAST_REAL_TIME) return `Real-time signal ${signal - FIRST_REAL_TIME}`;
  return `Unknown signal ${signal}`;
}

/** Takes a raw wait status apart: low 7 bits signal, bit 7 core dump, next 8 bits exit code. */
export function parseWaitStatus(status: number): ProcessEnd {
  const signal = status & 0x7f;
  if (signal === 0) return { kind: "exited", code: (status >> 8) & 0xff };
  return { kind: "signaled", signal, coreDumped: (status & 0x80) !== 0 };
}

/** How a shell shows it: the exit code, or 128 + the signal. */
export function shellExitCode(status: number): number {
  const end = parseWaitStatus(status);
  return end.kind === "exited" ? end.code : 128 + end.signal;
}

/** `exited with status 1`, `terminated with signal Killed (core dumped)`. */
export function describeWaitStatus(status: number): string {
  const end = parseWaitStatus(status);
  if (end.kind === "exited") return `exited with status ${end.code}`;
  return `terminated with signal ${signalText(end.signal)}${end.coreDumped ? " (core dumped)" : ""}`;
}

/** The message of a command task's terminal update (mesos-agent-behaviour §5.12). */
export function commandEndMessage(status: number | undefined): string {
  return status === undefined ? "Failed to get exit status for Command" : `Command ${describeWaitStatus(status)}`;
}
