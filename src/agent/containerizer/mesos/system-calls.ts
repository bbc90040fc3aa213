/** Numbers of Linux' system calls, and what else the kernel has laid out differently: x86_64 and arm64. */
const NUMBERS = {
  CLONE: [56, 220],
  CLOSE: [3, 57],
  CLOSE_RANGE: [436, 436],
  DUP3: [292, 24],
  EXECVE: [59, 221],
  /** exit_group(2). */
  EXIT: [231, 94],
  FCNTL: [72, 25],
  FSTAT: [5, 80],
  GETPID: [39, 172],
  MKDIRAT: [258, 34],
  MKNODAT: [259, 33],
  MOUNT: [165, 40],
  MOUNT_SETATTR: [442, 442],
  OPENAT: [257, 56],
  PIPE2: [293, 59],
  PRCTL: [157, 167],
  PRLIMIT: [302, 261],
  READ: [0, 63],
  SETGROUPS: [116, 159],
  SETITIMER: [38, 103],
  SETNS: [308, 268],
  SETRESGID: [119, 149],
  SETRESUID: [117, 147],
  SETSID: [112, 157],
  SIGACTION: [13, 134],
  UNSHARE: [272, 97],
  WRITE: [1, 64],
  /** Where a `struct stat` has its 32 bits of `st_mode`. */
  MODE_AT: [24, 16],
} as const;

/**
 * A Perl script behind the declaration of a variable for each of these that it names (`$CLONE`). Undefined on an architecture
 * whose system calls we do not know.
 */
export function withSystemCalls(architecture: string, script: string): string | undefined {
  const column = ["x64", "arm64"].indexOf(architecture);
  if (column < 0) return undefined;
  const named = new Set(script.match(/\$[A-Z][A-Z0-9_]*/g));
  const known = Object.entries(NUMBERS).filter(([name]) => named.has(`$${name}`));
  const variables = known.map(([name]) => `$${name}`);
  const values = known.map(([, numbers]) => numbers[column]);
  return `my (${variables.join(", ")}) = (${values.join(", ")});\n${script}`;
}
