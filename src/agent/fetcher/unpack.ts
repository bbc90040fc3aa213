import { chown, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { type CommandOptions, type FetchUser, runCommand } from "./command.ts";
import { ListingCheck } from "./listing.ts";
import { moveInto, preparePlace } from "./place.ts";
import type { Unpacking } from "./plan.ts";

const listCommand = (unpacking: Unpacking, archive: string): string[] =>
  unpacking === "zip" ? ["unzip", "-Z1", archive] : ["tar", "-tf", archive];

/** The program that unpacks, as the log shows it. */
export function unpackCommand(unpacking: Exclude<Unpacking, "none">, archive: string, folder: string): string[] {
  if (unpacking === "zip") return ["unzip", "-o", "-q", "-d", folder, archive];
  if (unpacking === "gzip")
    return ["sh", "-c", 'gzip -dc -- "$1" > "$2"', "sh", archive, join(folder, basename(archive, ".gz"))];
  return ["tar", "-C", folder, "-xf", archive];
}

/**
 * Unpacks into a folder of its own, as the task's user, then moves what came into the sandbox: neither a name with `..`
 * nor a link in the archive, or in one before it, makes anything be written elsewhere. The archive stays. Rejects with
 * an Error.
 */
export async function unpack(
  unpacking: Exclude<Unpacking, "none">,
  archive: string,
  name: string,
  sandbox: string,
  user: FetchUser | undefined,
  options: Omit<CommandOptions, "user" | "cwd">,
): Promise<void> {
  if (unpacking !== "gzip") {
    const listing = new ListingCheck();
    const output = (piece: string): void => listing.take(piece);
    await runCommand(listCommand(unpacking, archive), { ...options, user, cwd: sandbox, output });
    listing.end();
  }
  const folder = await mkdtemp(join(sandbox, ".fetch-"));
  try {
    if (user !== undefined) await chown(folder, user.uid, user.gid);
    await runCommand(unpackCommand(unpacking, archive, folder), { ...options, user, cwd: sandbox });
    if (unpacking === "gzip") {
      const made = join(folder, basename(archive, ".gz"));
      const target = await preparePlace(sandbox, name.replace(/\.gz$/, ""), user);
      await rename(made, target);
    } else await moveInto(folder, sandbox);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
