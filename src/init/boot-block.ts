import type { Resolution } from "./resolve.ts";
import type { Service } from "./services.ts";

/** `2015-09-21 10:00:00`, UTC. */
const stamp = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ");

/** No value can begin a line of its own on the console, or move its cursor. */
export const printable = (value: string): string =>
  value.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) => JSON.stringify(character).slice(1, -1));

const TITLES: Readonly<Record<Service["name"], string>> = {
  mesos: "Mesos",
  "logstash-forwarder": "Logstash-Forwarder",
  redpill: "Redpill",
};

/**
 * Every value of a secret setting, wherever it appears in `text`, masked: a command may hold one.
 */
export function maskSecrets(text: string, resolution: Resolution): string {
  let masked = text;
  for (const { value, shown } of resolution.settings.values()) {
    if (shown !== value && value.length > 3) masked = masked.replaceAll(value, shown);
  }
  return masked;
}

/** The block that init prints before supervisord starts, one `[date][Service][Key] value` per line. */
export function bootBlock(resolution: Resolution, services: readonly Service[], now: number): string[] {
  const line = (service: string, key: string, value: string): string =>
    `[${stamp(now)}][${service}][${key}] ${printable(maskSecrets(value, resolution))}`;
  const value = (name: string): string => resolution.settings.get(name)?.value ?? "";
  const lines = [
    line("Init", "App-Name", value("APP_NAME")),
    line("Init", "Environment", value("ENVIRONMENT")),
    line("Init", "Parent-Host", value("PARENT_HOST")),
  ];
  const hostname = resolution.settings.get("MESOS_HOSTNAME");
  if (hostname?.origin === "profile")
    lines.push(line("Init", "MESOS_HOSTNAME", `${hostname.value} (${hostname.note})`));
  for (const service of services) {
    lines.push(line(TITLES[service.name], "Status", service.enabled ? "enabled" : "disabled"));
    if (service.own !== undefined) lines.push(line(TITLES[service.name], "Own-File", service.own));
    else if (service.enabled) lines.push(line(TITLES[service.name], "Start-Command", service.command));
  }
  for (const warning of resolution.warnings) lines.push(line("Init", "Warning", warning));
  return lines;
}
