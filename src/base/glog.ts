import { writeSync } from "node:fs";
import type { Timer } from "./clock.ts";
import { codeOf } from "./errors.ts";
import { type LogFolder, SeverityFile } from "./glog-file.ts";
import { formatLine, rankOf, type Severity, severities } from "./glog-line.ts";
import type { Logger } from "./log.ts";

export interface GlogOptions extends Omit<LogFolder, "path"> {
  /** Without it there are no files. Troubles with it are told on the console and never stop the program. */
  readonly folder?: string | undefined;
  /** Lines below it are written nowhere. */
  readonly level: Severity;
  /** Only FATAL lines and troubles with the folder reach the console. */
  readonly quiet: boolean;
  /** `verbose` lines up to this level are written, as INFO. */
  readonly verbosity: number;
  readonly console: Console;
}

/** Where console lines go: writes now or keeps; never throws. */
export interface Console {
  write(text: string): void;
  flush(): void;
}

/** A console that is not read keeps at most this many characters waiting. */
const LARGEST_BACKLOG = 1_048_576;

/** The descriptor (2: stderr), written at once. A pipe that is full keeps lines waiting, up to a bound. */
export function descriptorConsole(descriptor: number): Console {
  const waiting: Buffer[] = [];
  let backlog = 0;
  let dropped = 0;
  const flush = (): void => {
    for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
      const written = writeSome(descriptor, head);
      backlog -= written;
      if (written < head.length) {
        waiting[0] = head.subarray(written);
        return;
      }
      waiting.shift();
    }
  };
  const add = (text: string, written = 0): void => {
    const data = Buffer.from(text).subarray(written);
    waiting.push(data);
    backlog += data.length;
  };
  return {
    write(text) {
      flush();
      if (backlog + text.length > LARGEST_BACKLOG) {
        dropped++;
        return;
      }
      if (dropped > 0) add(`(${dropped} lines lost: nobody read the console)\n`);
      dropped = 0;
      if (waiting.length > 0) {
        add(text);
        flush();
        return;
      }
      // Mostly it is taken as it is and as a whole.
      const written = writeSome(descriptor, text);
      if (written < Buffer.byteLength(text)) add(text, written);
    },
    flush,
  };
}

/** Bytes that were taken; all of them when nobody will ever read. */
function writeSome(descriptor: number, data: Buffer | string): number {
  try {
    return typeof data === "string" ? writeSync(descriptor, data) : writeSync(descriptor, data);
  } catch (error) {
    // EAGAIN: full. Anything else (EPIPE, EBADF): the reader is gone for good.
    return codeOf(error) === "EAGAIN" ? 0 : Buffer.byteLength(data);
  }
}

/** A logger in glog's format, and the switches that the agent's pages and main need. */
export interface Glog {
  readonly logger: Logger;
  verbosity: number;
  /** Writes a FATAL line everywhere, and flushes. Ending the program is the caller's. */
  fatal(message: string): void;
  /** Everything so far is written. Call at exit: it is synchronous. */
  flush(): void;
  /** Flushes and closes files; later lines still reach the console. */
  close(): void;
}

/** The same trouble is told again after an hour. */
const TELL_AGAIN = 3_600_000;

/** Instead of a text of many lines. */
const asCalls = (_error: unknown, calls: NodeJS.CallSite[]): NodeJS.CallSite[] => calls;

/** The line number of the caller two frames up; 0 when it is not known. */
function callerLine(above: (...args: never[]) => unknown): number {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const trace: { stack?: unknown } = {};
  Error.stackTraceLimit = 1;
  Error.prepareStackTrace = asCalls;
  try {
    Error.captureStackTrace(trace, above);
    const calls = trace.stack as readonly NodeJS.CallSite[] | undefined;
    return calls?.[0]?.getLineNumber() ?? 0;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** Milliseconds since the epoch with a fraction: the system's clock has none, the monotonic one does not know the date. */
function fineTime({ clock }: Pick<LogFolder, "clock">): () => number {
  let offset = clock.now() - clock.monotonic();
  return () => {
    const now = clock.now();
    const fine = clock.monotonic() + offset;
    if (Math.abs(fine - now) <= 2) return fine;
    offset = now - clock.monotonic();
    return now;
  };
}

/** A glog: one file per severity, each of which also receives everything above it, and the console. */
export function openGlog(options: GlogOptions): Glog {
  const time = fineTime(options);
  const told = new Map<string, number>();
  const emitTo = (severity: Severity, source: string, line: number, message: string): string =>
    formatLine({ severity, time: time(), threadId: options.pid, source, line, message });
  const trouble = (message: string): void => {
    const now = options.clock.monotonic();
    if (now - (told.get(message) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN) return;
    told.set(message, now);
    options.console.write(emitTo("ERROR", "glog", 0, message));
  };
  const files =
    options.folder === undefined
      ? []
      : severities.map((severity) => new SeverityFile({ ...options, path: options.folder ?? "" }, severity, trouble));
  let verbosity = options.verbosity;
  let timer: Timer | undefined;
  let closed = false;

  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    for (const file of files) file.flush();
    options.console.flush();
  };
  const emit = (severity: Severity, source: string, line: number, message: string): void => {
    const rank = rankOf(severity);
    if (rank < rankOf(options.level)) return;
    const text = emitTo(severity, source, line, message);
    if (!options.quiet || severity === "FATAL") options.console.write(text);
    if (closed || files.length === 0) return;
    for (const file of files.slice(0, rank + 1)) file.write(text, rank > 0 || options.bufferMilliseconds === 0);
    if (options.bufferMilliseconds > 0) timer ??= options.clock.after(options.bufferMilliseconds, flush);
  };
  const loggerOf = (source: string): Logger => ({
    info: function info(message) {
      emit("INFO", source, callerLine(info), message);
    },
    warn: function warn(message) {
      emit("WARNING", source, callerLine(warn), message);
    },
    error: function error(message) {
      emit("ERROR", source, callerLine(error), message);
    },
    verbose: function verbose(level, message) {
      if (level <= verbosity) emit("INFO", source, callerLine(verbose), message);
    },
    named: loggerOf,
  });
  return {
    logger: loggerOf(options.program),
    get verbosity() {
      return verbosity;
    },
    set verbosity(level: number) {
      verbosity = level;
    },
    fatal(message) {
      emit("FATAL", options.program, 0, message);
      flush();
    },
    flush,
    close() {
      flush();
      closed = true;
      for (const file of files) file.close();
    },
  };
}
