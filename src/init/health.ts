import type { Resolution } from "./resolve.ts";
import type { Service } from "./services.ts";

/** The last value that a command gives to a flag of the agent, by `--name=` or by a variable before the program. */
function inCommand(command: string, name: string): string | undefined {
  const pattern = new RegExp(`(?:--${name}=|\\b(?:MESOS|LIBPROCESS)_${name.toUpperCase()}=)["']?([^\\s"';]+)`, "g");
  return [...command.matchAll(pattern)].at(-1)?.[1];
}

/**
 * What the HEALTHCHECK reads until the agent has said where it listens: where it is told to, and the watchdog's interval (0: no
 * watchdog). One value a line.
 */
export function healthFile(resolution: Resolution, services: readonly Service[]): string {
  const command = services.find(({ name }) => name === "mesos")?.command ?? "";
  const given = (name: string): string =>
    inCommand(command, name) ||
    resolution.environmentValue(`MESOS_${name.toUpperCase()}`) ||
    resolution.environmentValue(`LIBPROCESS_${name.toUpperCase()}`) ||
    "";
  const address = given("ip") || "127.0.0.1";
  const port = given("port") || "5051";
  const secured = resolution.environmentValue("LIBPROCESS_SSL_ENABLED") || resolution.environmentValue("SSL_ENABLED");
  const watched = services.some(({ name, listener, enabled }) => name === "redpill" && listener && enabled);
  const interval = watched ? (resolution.settings.get("SERVICE_REDPILL_INTERVAL")?.value ?? "30") : "0";
  const host = address === "0.0.0.0" || address.includes("\n") ? "127.0.0.1" : address;
  const scheme = /^(1|true)$/.test(secured ?? "") ? "tls" : "http";
  return `${host}\n${/^\d+$/.test(port) ? port : "5051"}\n${interval}\n${scheme}\n`;
}
