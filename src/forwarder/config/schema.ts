import * as z from "zod";
import { parseBytes } from "../../base/bytes.ts";
import { messageOf } from "../../base/errors.ts";
import { compileExpression } from "../model/expression.ts";
import { parseGoDuration } from "./go-duration.ts";

/**
 * The configuration file: one object per section. Descriptions become docs/forwarder.md; a default is given as a user
 * would write it.
 */

function parsed<T>(parse: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) });
      return z.NEVER;
    }
  };
}

/** Seconds as a number, or Go's grammar; in milliseconds afterwards. */
const duration = () =>
  z
    .union([
      z
        .number()
        .nonnegative()
        .transform((seconds) => seconds * 1000),
      z.string().transform(parsed(parseGoDuration)),
    ])
    .meta({ title: "duration" });

/** Bytes as a number, or `64MB`. */
const size = (least: number, most: number) =>
  z
    .union([z.number().int(), z.string().transform(parsed(parseBytes))])
    .pipe(z.number().min(least).max(most))
    .meta({ title: "size" });

const whole = (least: number, most: number) => z.number().int().min(least).max(most).meta({ title: "number" });
const flag = () =>
  z
    .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")])
    .meta({ title: "true or false" });
const path = () => z.string().min(1).meta({ title: "path" });

const expression = () =>
  z
    .string()
    .superRefine((pattern, context) => {
      parsed(compileExpression)(pattern, context);
    })
    .meta({ title: "regular expression" });

const server = z
  .string()
  .superRefine((address, context) => {
    const port = Number(/^(?:\[[^\]]+\]|[^:[\]\s/]+):(\d{1,5})$/.exec(address)?.[1] ?? 0);
    if (port >= 1 && port <= 65_535) return;
    const why = address === "" ? "is a variable not set? Write host:port" : "write host:port";
    context.addIssue({ code: "custom", message: `'${address}' is not a server: ${why}` });
  })
  .meta({ title: "host:port" });

export const networkShape = {
  servers: z
    .array(server)
    .optional()
    .describe("Receivers. One is picked at random, of its addresses too, and kept until it fails."),
  "load balance": flag().default(false).describe("Ship to all servers at once instead of to one."),
  "ssl enabled": flag().default(true).describe("Speak TLS. Without it lines travel readable by anyone."),
  "ssl ca": path()
    .optional()
    .describe(
      "PEM file of the certificates that are trusted, all of them: authorities, intermediates, the server's own; the system's without it.",
    ),
  "ssl certificate": path()
    .optional()
    .describe("Our certificate (PEM), for servers that ask for one. Read at every connection."),
  "ssl key": path().optional().describe("The key of our certificate (PEM)."),
  "ssl key passphrase": z
    .string()
    .optional()
    .describe("For a key that is encrypted; take it from a variable: `$NAME`. `-validate` does not print it."),
  "ssl key passphrase file": path().optional().describe("The same from a file: its first line."),
  "ssl verification": z
    .enum(["full", "certificate", "none"])
    .default("full")
    .describe(
      "`full`: chain and name of the server's certificate; `certificate`: chain only; `none`: anything, even an attacker's.",
    ),
  "ssl strict verify": flag().optional().describe("Old spelling: false means `certificate` verification."),
  "strict verify": flag().optional().describe("Old spelling of `ssl strict verify`."),
  "ssl minimum version": z
    .enum(["TLSv1.2", "TLSv1.3"])
    .default("TLSv1.2")
    .describe("Oldest TLS version that is spoken."),
  timeout: duration()
    .default(15_000)
    .describe("A server without a sign of life for this long is given up; a number is seconds, 0 the default."),
  "maximum wait": duration()
    .default(120_000)
    .describe("The longest wait for the acknowledgement of one window, signs of life or not; then another server."),
  "connection lifetime": duration()
    .default(0)
    .describe("A connection is made anew after this, to a server picked again: for balancers. 0: never."),
  "backoff initial": duration().default(1000).describe("First pause after a failure. Pauses are jittered and double."),
  "backoff maximum": duration().default(60_000).describe("Longest pause after a failure."),
  "protocol version": z
    .union([z.literal(1), z.literal(2), z.enum(["auto", "1", "2"])])
    .default("auto")
    .describe(
      "Lumberjack 1 (text pairs) or 2 (JSON). `auto` begins with 1, or 2 when a file has `json`, and changes when a server refuses it.",
    ),
};

export const shippingShape = {
  "bulk size": whole(1, 10_000).default(2048).describe("Events in one Lumberjack window, at most (`-spool-size`)."),
  "window size": whole(1, 1_000_000)
    .default(8192)
    .describe("Events sent and not yet acknowledged and recorded, at most: what a crash may send twice."),
  "flush time": duration().default(50).describe("An incomplete bulk is sent after this (`-idle-flush-time`)."),
  "compression level": whole(0, 9).default(3).describe("zlib level; 0 only wraps."),
  memory: size(4 * 1024 ** 2, 4 * 1024 ** 3)
    .default(64 * 1024 ** 2)
    .describe("Bytes of events in memory, at most; then files wait."),
  "drain time": duration().default(1500).describe("A stop waits this long for acknowledgements."),
};

export const readingShape = {
  "buffer size": size(4096, 16 * 1024 ** 2)
    .default(128 * 1024)
    .describe("Bytes read at once (`-harvest-buffer-size`)."),
  "scan interval": duration()
    .default(10_000)
    .describe(
      "Files are looked for at this interval, besides inotify; a quiet one is looked at once a minute (see below).",
    ),
  "maximum open files": whole(1, 1_000_000)
    .optional()
    .describe(
      "File descriptors for followed files, at most; default: the limit of the process (`ulimit -n`) less what it needs itself. Quiet files whose lines are acknowledged close first.",
    ),
};

export const registryShape = {
  path: path().optional().describe("Where positions are recorded. See below for the default."),
  import: path()
    .optional()
    .describe("A registry of the old program to take over (default: `.logstash-forwarder` in the working directory)."),
  "forget after": duration().default(86_400_000).describe("Positions of files that are gone are kept this long."),
};

export const monitoringShape = {
  address: server
    .optional()
    .describe("Serve `/status` (JSON) and `/metrics` (Prometheus) here, for example `127.0.0.1:9117`."),
  "status file": path().optional().describe("Write the status (JSON) into this file every 5 seconds."),
};

export const multilineShape = {
  pattern: expression().describe("Lines that match belong to another line."),
  negate: flag().default(false).describe("Lines that do *not* match belong to another line."),
  match: z
    .enum(["after", "before"])
    .default("after")
    .describe("They belong to the line before (`after`) or after them (`before`)."),
  "maximum lines": whole(1, 100_000).default(500).describe("Lines of one event, at most."),
  "maximum time": duration()
    .default(5000)
    .describe("An event waits this long for more lines, counted from its last one."),
};

export const fileShape = {
  paths: z.array(path()).min(1).describe("Globs (`*`, `?`, `[a-z]`, `{a,b}`, `**`), or `-` for standard input."),
  exclude: z.array(path()).default([]).describe("Globs of files to leave out."),
  fields: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .default({})
    .meta({ title: "names and texts" })
    .describe(
      "Added to every event. `file` and `host` replace ours; `line`, `offset` and `@timestamp` are left out, `message` in version 2.",
    ),
  "dead time": duration().default(86_400_000).describe("Old name and default of `ignore older`."),
  "ignore older": duration()
    .optional()
    .describe(
      "Files without a position that were not changed for this long are not shipped, only what is added to them.",
    ),
  "close inactive": duration()
    .default(300_000)
    .describe("A quiet file whose lines are acknowledged is closed after this; it is opened again when it changes."),
  "line end wait": duration()
    .optional()
    .describe(
      "A last line without its end is shipped when the file was quiet for this long (default: `close inactive`).",
    ),
  encoding: z
    .enum(["utf-8", "latin1", "utf-16le", "utf-16be"])
    .default("utf-8")
    .describe("How the file is written. Events are UTF-8."),
  "include lines": z.array(expression()).default([]).describe("Only events that match one of these."),
  "exclude lines": z.array(expression()).default([]).describe("No events that match one of these."),
  "maximum line": size(64, 16 * 1024 ** 2)
    .default(1024 ** 2)
    .describe("Longer lines are shipped in pieces of this size."),
  multiline: z.strictObject(multilineShape).optional().describe("Joins lines to one event, see below."),
  json: flag()
    .default(false)
    .describe("Lines are JSON objects: their members join the event, as they stand in the line."),
};

/** The sections, by name; `files` is a list of `fileShape`. */
export const sectionShapes = {
  network: networkShape,
  shipping: shippingShape,
  reading: readingShape,
  registry: registryShape,
  monitoring: monitoringShape,
};

const section = <Shape extends z.core.$ZodShape>(shape: Shape) => z.strictObject(shape).prefault({} as never);

/** A whole configuration. Every section may be absent. */
export const configSchema = z.strictObject({
  network: section(networkShape),
  files: z.array(z.strictObject(fileShape)).default([]),
  shipping: section(shippingShape),
  reading: section(readingShape),
  registry: section(registryShape),
  monitoring: section(monitoringShape),
});

export type Config = z.output<typeof configSchema>;
