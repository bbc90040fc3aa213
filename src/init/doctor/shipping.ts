import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { FORWARDER_USER } from "../forwarder-plan.ts";
import { type Check, type Finding, findings, fixHere, type Patient } from "./finding.ts";
import { renderedConfigurations } from "./rendered.ts";

/** Files of one run of the shell that tests them; the rest is like them. */
const MOST = 2000;

interface Configured {
  /** Globs of what is to be shipped. */
  readonly paths: readonly string[];
  /** Certificates and keys. */
  readonly credentials: readonly string[];
}

function configured(patient: Patient): Configured {
  const parsed = renderedConfigurations(patient) as {
    readonly files?: { paths?: unknown }[];
    readonly network?: Record<string, unknown>;
  }[];
  const strings = (value: unknown): string[] =>
    (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");
  return {
    paths: parsed.flatMap(({ files }) => (Array.isArray(files) ? files.flatMap((each) => strings(each?.paths)) : [])),
    credentials: parsed.flatMap(({ network }) =>
      ["ssl ca", "ssl certificate", "ssl key", "ssl key passphrase file"].flatMap((name) => strings(network?.[name])),
    ),
  };
}

const TEST = 'for file; do [ -r "$file" ] || printf "%s\\n" "$file"; done';

/** Those of `files` that the forwarder's user cannot read, asked as that user where this one may become it. */
function unreadable(files: readonly string[], { isRoot }: Patient): string[] {
  const shell = ["/bin/sh", "-c", TEST, "sh", ...files];
  const words = isRoot ? ["runuser", "-u", FORWARDER_USER, "--", ...shell] : shell;
  const { status, stdout, stderr, error } = spawnSync(words[0] ?? "", words.slice(1), {
    encoding: "utf8",
    timeout: 10_000,
  });
  if (status !== 0) throw new Error(error?.message ?? stderr.trim());
  return stdout.split("\n").filter(Boolean);
}

/** Whether the forwarder can read what it is to ship, and what it needs for TLS. Names that are not there yet are no fault. */
export const shipping: Check = async (patient) => {
  const { ok, failure } = findings("shipping");
  if (!patient.hasServices || patient.setting("SERVICE_LOGSTASH_FORWARDER") !== "enabled") return [];
  const { paths, credentials } = configured(patient);
  const found = [...new Set(paths.filter((path) => path !== "-").flatMap((path) => globSync(path)))].slice(0, MOST);
  const there = credentials.flatMap((path) => globSync(path));
  const denied = new Set(unreadable([...found, ...there], patient));
  const group = "its group to adm and its mode to 640";
  const fix = (path: string): string =>
    there.includes(path)
      ? `chgrp ${FORWARDER_USER} ${path} && chmod 640 ${path}`
      : `set ${group}${fixHere(patient, " (the forwarder's user is in adm; by number, 4, on the host)", "")}, or chmod o+r, and o+x for its folders`;
  const failures = [...denied].map((path): Finding => failure(`user ${FORWARDER_USER} cannot read ${path}`, fix(path)));
  return failures.length > 0 ? failures : [ok(`${found.length} files there, all readable for the forwarder's user`)];
};
