import { basename, join } from "node:path";
import { messageOf } from "../base/errors.ts";
import { type ForwarderConfiguration, renderForwarderConfiguration } from "./forwarder-conf.ts";
import type { Paths } from "./paths.ts";
import type { PlannedFile } from "./planned-file.ts";
import type { Resolution } from "./resolve.ts";

export const FORWARDER_USER = "logstash-forwarder";

export interface ForwarderPlan {
  readonly files: readonly PlannedFile[];
  readonly configuration: ForwarderConfiguration;
  /** What an earlier start may have left where the copies go: a file that is in no configuration any more. */
  readonly removed: readonly string[];
  readonly warnings: readonly string[];
  /** What keeps it from shipping. */
  readonly missing: readonly string[];
}

/** Content of each file of a configuration: one file, or those of a folder. Throws when there is none; says what is left out. */
export type ReadConfiguration = (
  path: string,
  warn: (message: string) => void,
) => readonly { readonly path: string; readonly text: string }[];

/** Where the copies of a folder's files go. */
const FOLDER = "conf.d";

/** The rendered copy below /run. A configuration that cannot be read is left to the forwarder, which then says so too. */
export function planForwarder(
  resolution: Resolution,
  paths: Paths,
  readConfiguration: ReadConfiguration,
): ForwarderPlan {
  const value = (name: string): string | undefined => resolution.settings.get(name)?.value;
  const source = value("SERVICE_LOGSTASH_FORWARDER_CONF") ?? paths.forwarderConfiguration;
  const asItIs = { source, rendered: source };
  if (value("SERVICE_LOGSTASH_FORWARDER") !== "enabled")
    return { files: [], configuration: asItIs, removed: [], warnings: [], missing: [] };
  const warnings: string[] = [];
  const removed = [join(paths.forwarderRendered, FOLDER)];
  const address = value("SERVICE_LOGSTASH_FORWARDER_ADDRESS");
  if (address === undefined && source === paths.forwarderConfiguration) {
    warnings.push(
      "SERVICE_LOGSTASH_FORWARDER_ADDRESS is not set: the default configuration's logstash.address:5000 is a placeholder",
    );
  }
  const values = {
    address,
    certificate: value("SERVICE_LOGSTASH_FORWARDER_CERT"),
    appName: value("APP_NAME") ?? "",
    environment: value("ENVIRONMENT") ?? "",
    parentHost: value("PARENT_HOST") ?? "",
    logDir: value("MESOS_LOG_DIR") ?? "/var/log/mesos",
    severities: (value("SERVICE_LOGSTASH_FORWARDER_SEVERITIES") ?? "INFO").toUpperCase().split(/[\s,]+/),
    root: paths.root,
  };
  try {
    const sources = readConfiguration(source, (message) => warnings.push(message));
    const inFolder = sources[0]?.path !== source;
    const folder = inFolder ? join(paths.forwarderRendered, FOLDER) : paths.forwarderRendered;
    const files = sources
      .filter(({ text }) => !inFolder || text.trim() !== "")
      .map((each) => {
        const made = renderForwarderConfiguration(each.text, each.path, values, resolution.environmentValue);
        warnings.push(...made.warnings);
        return { path: join(folder, basename(each.path)), text: made.text, mode: 0o640, group: FORWARDER_USER };
      });
    const rendered = inFolder ? folder : (files[0]?.path ?? source);
    return { files, configuration: { source, rendered }, removed, warnings, missing: [] };
  } catch (error) {
    const missing = [
      `SERVICE_LOGSTASH_FORWARDER_CONF=${source} is used as it is: ${messageOf(error).replace("\n  Fix: ", ": ")}`,
    ];
    return { files: [], configuration: asItIs, removed, warnings, missing };
  }
}
