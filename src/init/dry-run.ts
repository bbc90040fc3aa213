import { maskSecrets, printable } from "./boot-block.ts";
import type { Plan } from "./plan.ts";
import type { Resolution, Setting } from "./resolve.ts";
import { variables } from "./variables.ts";

const originText = ({ origin, note }: Setting): string => (note === undefined ? origin : `${origin}: ${note}`);

/** The resolved settings, what is wrong with them, and (with `files`) what would be written, for a console. */
export function dryRunText(resolution: Resolution, plan: Plan, options: { readonly files: boolean }): string {
  const lines: string[] = [];
  if (options.files) {
    for (const setting of resolution.settings.values())
      lines.push(`${setting.name}=${printable(setting.shown)}  (${originText(setting)})`);
    for (const { name, ignored } of variables)
      if (!resolution.settings.has(name) && ignored === undefined) lines.push(`${name}=  (not set)`);
    for (const file of plan.files) {
      lines.push("", `--- ${file.path} (mode ${file.mode.toString(8)})`);
      lines.push(maskSecrets(file.text, resolution).trimEnd());
    }
    lines.push("");
  }
  for (const warning of plan.warnings) lines.push(`warning: ${printable(warning)}`);
  for (const missing of plan.missing) lines.push(`error: ${printable(maskSecrets(missing, resolution))}`);
  for (const error of plan.errors) lines.push(`error: ${maskSecrets(error.text, resolution)}`);
  if (plan.errors.length + plan.missing.length === 0)
    lines.push(plan.warnings.length === 0 ? "ok" : "ok, with warnings");
  return lines.join("\n");
}

/** The same for programs. */
export function dryRunJson(resolution: Resolution, plan: Plan): object {
  return {
    profile: resolution.profile,
    settings: [...resolution.settings.values()].map((setting) => ({
      name: setting.name,
      value: setting.shown,
      origin: setting.origin,
      ...(setting.note === undefined ? {} : { note: setting.note }),
    })),
    services: plan.services.map(({ name, enabled, command, listener, priority }) => ({
      name,
      enabled,
      command: maskSecrets(command, resolution),
      priority,
      listener,
    })),
    files: plan.files.map(({ path, text, mode }) => ({ path, mode, text: maskSecrets(text, resolution) })),
    warnings: plan.warnings,
    errors: [
      ...plan.missing.map((message) => ({ message: maskSecrets(message, resolution) })),
      ...plan.errors.map(({ message, fix }) => ({ message: maskSecrets(message, resolution), fix })),
    ],
  };
}
