/** What glog's own variables say. */
export interface GlogSettings {
  /** Level of verbose lines that are written. */
  readonly verbosity: number;
  /** Size at which a log file is followed by a new one. */
  readonly maximumBytes: number;
  readonly warnings: readonly string[];
}

/** glog's own default is 1800 MB, which filled many a disk of a container. */
const DEFAULT_MEGABYTES = 10;

function wholeNumber(text: string | undefined, least: number, most: number): number | undefined {
  const value = /^\d{1,9}$/.test(text?.trim() ?? "") ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** GLOG_v and GLOG_max_log_size (MB). A value that makes no sense is a warning and the default. */
export function glogSettings(environment: Readonly<Record<string, string | undefined>>): GlogSettings {
  const warnings: string[] = [];
  const read = (name: string, fallback: number, least: number, most: number): number => {
    const text = environment[name];
    if (text === undefined || text.trim() === "") return fallback;
    const value = wholeNumber(text, least, most);
    if (value === undefined)
      warnings.push(`${name} is '${text}', not a number from ${least} to ${most}: taken as ${fallback}`);
    return value ?? fallback;
  };
  return {
    verbosity: read("GLOG_v", 0, 0, 100),
    maximumBytes: read("GLOG_max_log_size", DEFAULT_MEGABYTES, 1, 100_000) * 1024 * 1024,
    warnings,
  };
}
