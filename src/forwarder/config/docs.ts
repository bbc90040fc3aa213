import * as z from "zod";
import { formatBytes } from "../../base/bytes.ts";
import { flagRows } from "./flags.ts";
import { formatGoDuration } from "./go-duration.ts";
import {
  fileShape,
  monitoringShape,
  multilineShape,
  networkShape,
  readingShape,
  registryShape,
  shippingShape,
} from "./schema.ts";

/** The schema of the items of a list. */
export function itemOf(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return itemOf(schema.def.innerType as z.ZodType);
  return schema instanceof z.ZodArray ? (schema.def.element as z.ZodType) : schema;
}

/** What a schema takes, in a word or two. */
export function kindOf(schema: z.ZodType): string {
  const title = schema.meta()?.["title"];
  if (typeof title === "string") return title;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return kindOf(schema.def.innerType as z.ZodType);
  if (schema instanceof z.ZodArray) return `list of ${kindOf(schema.def.element as z.ZodType)}`;
  if (schema instanceof z.ZodEnum) return schema.options.map((option) => `\`${String(option)}\``).join(", ");
  if (schema instanceof z.ZodUnion) return schema.options.map((option) => kindOf(option as z.ZodType)).join(", ");
  if (schema instanceof z.ZodLiteral) return [...schema.values].map((value) => `\`${String(value)}\``).join(", ");
  if (schema instanceof z.ZodObject) return "section";
  return "text";
}

function defaultOf(schema: z.ZodType, kind: string): string {
  if (!(schema instanceof z.ZodDefault)) return schema instanceof z.ZodOptional ? "" : "required";
  const value: unknown = schema.def.defaultValue;
  if (Array.isArray(value) || (typeof value === "object" && value !== null)) return "none";
  if (typeof value !== "number") return `\`${String(value)}\``;
  if (kind === "duration") return `\`${formatGoDuration(value)}\``;
  return `\`${kind === "size" ? formatBytes(value) : value}\``;
}

function table(shape: Readonly<Record<string, z.ZodType>>): string {
  const rows = Object.entries(shape).map(([name, schema]) => {
    const kind = kindOf(schema);
    const cells = [`\`${name}\``, kind, defaultOf(schema, kind), schema.description ?? ""];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| option | takes | default | |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function flagTable(): string {
  const rows = flagRows.map(({ names, kind, summary }) => {
    const spelled = names.map((name) => `\`-${name}\``).join(", ");
    return `| ${spelled} | ${kind === "flag" ? "" : kind} | ${summary} |`;
  });
  return ["| flag | takes | |", "| --- | --- | --- |", ...rows].join("\n");
}

/** A configuration that works, for the beginning of the page; a test ships lines with it. */
export const FIRST_CONFIGURATION = `{
  "network": {
    "servers": ["localhost:5043"],
    "ssl enabled": false
  },
  "files": [
    { "paths": ["/var/log/*.log"], "fields": { "type": "syslog" } },
    { "paths": ["/var/log/nginx/access.log"], "fields": { "type": "nginx" } }
  ]
}`;

const UNIT = `[Unit]
Description=Ships log files to Logstash
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/bin/logstash-forwarder -config /etc/logstash-forwarder.json
ExecReload=/bin/kill -HUP $MAINPID
User=logstash-forwarder
SupplementaryGroups=adm
StateDirectory=logstash-forwarder
Restart=always

[Install]
WantedBy=multi-user.target`;

/** docs/forwarder.md, made from the schema of the configuration and the table of flags. */
export function forwarderDocs(): string {
  return `# logstash-forwarder

Follows files and ships their lines to Logstash over Lumberjack. Command line, configuration and protocol are those of the
abandoned logstash-forwarder; what it lost or doubled is not. This page is generated from \`src/forwarder/config/\`.

## In ten lines
\`\`\`json
${FIRST_CONFIGURATION}
\`\`\`

- \`logstash-forwarder -config forwarder.json -validate\` checks it and prints it with every default: what is printed can be used
  as a configuration. It fails when a certificate file is missing or cannot be used.
- \`logstash-forwarder -config forwarder.json -tap -once\` prints the events as JSON instead of shipping them, and records nothing.
- \`lumberjack-sink --listen 127.0.0.1:5043\` is a receiver that prints what it gets; \`--cert\` and \`--key\` make it speak TLS.
- \`logstash-forwarder -config forwarder.json\` then ships. It says "connected to …", and "shipped N events" at its end; which
  entries match no file; and what stops shipping, cannot be read or is lost, with \`-quiet\` too.

In Logstash \`input { beats { port => 5043 } }\` receives it (add \`ssl_enabled => true\`, \`ssl_certificate\` and \`ssl_key\`, and set
\`ssl ca\` here). With systemd:

\`\`\`ini
${UNIT}
\`\`\`

## What is promised
- **At least once.** A position is recorded only after the receiver acknowledged everything before it; then the registry is
  replaced atomically and durably (fsync, rename). A crash sends again at most one window (\`window size\` events).
- **Exactly once over a clean stop.** TERM reads what lies in the files at that moment, ships it and waits for its
  acknowledgement (\`drain time\` in all), records it, and the next start goes on behind it. Half a line stays for the next start.
- **A followed file is its open descriptor, from the moment it is found.** A receiver that is away or slow stops reading and
  nothing else: files are found, opened, recognised, and their truncation is noticed meanwhile. What is renamed or deleted then
  is read to its end, and the descriptor of a deleted file is given back when everything of it is acknowledged and nothing was
  written for two seconds. A reload hands the open files over.
- **How many may be open** is the limit of the process less what it needs itself (or \`maximum open files\`). Beyond that, files that
  are quiet and wholly acknowledged close first, then those that are read to their end. A file with unread lines that cannot be
  held is said and counted (\`logstash_forwarder_unheld_files\`), and opened as soon as a descriptor is free.
- **What is new is noticed at once** where the kernel tells of it (inotify, on disks of the machine itself). For what it does not tell (a
  file written through a mapping or through another name of it, folders of other machines) every file is looked at at each \`scan interval\`;
  one that is read to its end, in a watched folder in which no name has changed, once a minute, until it was written without a word.
- **A content is known by device, inode, birth time, its first 1,024 bytes, the bytes before the position and those before the end
  that was seen**, never by its name. Renaming, copytruncate, truncation, replacement, reused inodes, retargeted links and \`.gz\`
  archives are told apart. In doubt a file is new: sent twice rather than lost. A filesystem that has another device number after
  it was mounted again (NFS, overlayfs, Btrfs) holds the files that it held.
- **A file that cannot be read** (a bad block, a network filesystem whose server is gone) is said once, and keeps no other waiting.
- **What copytruncate takes away is found in the copy**, also in one that no pattern covers: in the folder of the log or in a
  folder in that. It is looked for for a minute.
- What was destroyed before it could be read (truncated without a copy, deleted while the forwarder was down or without a
  descriptor for it) is lost; of files that it followed this is said, and counted (\`logstash_forwarder_lost_files_total\`).
  Of a file that was there and gone again before it could be opened the kernel tells the name: that is said, once a minute, and
  counted (\`logstash_forwarder_missed_files_total\`, \`missedFiles\` of the status).
- **One process a registry**, by a lock that a dead process does not hold. It is a file of its own, or a link to one, as the status file
  is: a device, a folder or the configuration is refused. A broken registry is kept beside as
  \`.broken-…\`, said aloud, and everything is sent again.

## Command line
\`logstash-forwarder -config PATH [flags]\`. One dash or two, \`-flag value\` or \`-flag=value\`.

${flagTable()}

TERM and INT stop. HUP reads the configuration again: its registry's lock, its status port and its certificates are tried
before what runs is stopped, and when it cannot start, the old one goes on. Standard input outlives it. Exit codes: 0 done,
1 wrong command line, 2 anything else that keeps it from running, \`-once\` without a file to read too. 0 for a number is its
default.

## Configuration
JSON. \`#\` begins a comment up to the end of its line; \`$VAR\` and \`\${VAR}\` are replaced by environment variables before
parsing, \`$$\` is a dollar sign. Between quotes a value that would break the text (quotes, backslashes, line ends) is taken
as text; otherwise it stands there as JSON, so that \`["$SERVERS"]\` with \`a:5043","b:5043\` makes two. \`-config\` may name a folder: its files are put together, servers and files adding up. Keys may be
written in any case, with \`_\` or \`-\` for spaces.

Durations are \`300s\`, \`5m\`, \`5mins\`, \`1h30m\`; a number means seconds. Patterns are RE2's: \`(?i)\`, \`[[:alpha:]]\`, \`\\pL\`; no
look-ahead, no references back, and no line that can stop the others. What the old program let pass is let pass, with a
warning: keys that mean nothing, a key that is there twice (the last counts), \`null\` and empty texts (not set), entries without
\`paths\`, a certificate without its key. In a folder, hidden files and what editors and packages leave behind are left out.

### \`network\`
${table(networkShape)}

### \`files\` (a list)
${table(fileShape)}

#### \`multiline\`
${table(multilineShape)}

### \`shipping\`
${table(shippingShape)}

### \`reading\`
${table(readingShape)}

### \`registry\`
${table(registryShape)}

Without \`path\` (or \`-registry\`) the registry is \`/var/lib/logstash-forwarder/registry.json\` where that can be written, else
\`.logstash-forwarder.registry.json\` in the working directory.

### \`monitoring\`
${table(monitoringShape)}

Both tell how far each file is: bytes that are not acknowledged, as of now, and the age of the oldest of them
(\`logstash_forwarder_lag_seconds\` for all). When nobody reads the console, lines of the log are left out, counted and said.

## Receivers
Windows begin small and double up to \`bulk size\`, or to what a receiver takes. Up to four are in flight, once three pairs of small
ones were acknowledged well: the Ruby input of Logstash 1.4 to 2 takes one at a time and gets one at a time. The version changes
only when three connections in a row are closed at once after their first window. What one failure of a server is, is said once a
minute; as an error when no other server is left.

## Events
A file that several entries of \`files\` name goes out for each, with its fields.

Version 1 sends texts: \`file\`, \`host\`, the \`fields\`, \`offset\` (of the line's first byte) and \`line\`. Version 2 sends JSON with
\`@timestamp\` (when it was read) and \`message\` in place of \`line\`. Version 1 carries bytes as they are; JSON must be UTF-8, so
other bytes become U+FFFD there; so it is with \`file\`, for names that are not UTF-8. A final CR is not part of the line, nor is a
byte order mark of its encoding at the beginning of a file. Lines without an end are held back until it comes, the file was quiet
for \`line end wait\`, it was deleted two seconds ago, or \`-once\` is set; what is added later is a line of its own.

NULs at the beginning of a file, and runs of 4,096 and more elsewhere, are holes: what a writer that does not append leaves after
a truncation, or room that it took and has not filled. They are passed over quickly and never shipped.

Patterns: \`*\` and \`?\` match names that begin with a dot, too, as they did in the original. A pattern with braces also
names a file that has these braces in its name. Folders are passed by; sockets, FIFOs and devices are said and not followed. The
registry and what lies beside it are never followed.

\`.gz\` files are decompressed and shipped once; an archive of a file that was followed goes on where that was read to.
`;
}
