/** What a room sees of logging: a line with a severity. `main/` decides where lines go. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** Shown when GLOG_v (or --verbose) is at least `level`. */
  verbose(level: number, message: string): void;
  /** A logger whose lines name this source file or component, as glog names the file. */
  named(source: string): Logger;
}

export const silentLogger: Logger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  verbose: () => undefined,
  named: () => silentLogger,
};
