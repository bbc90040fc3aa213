import { mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { type CommandOptions, runCommand } from "./command.ts";
import { ListingCheck } from "./listing.ts";
import { moveInto, preparePlace } from "./place.ts";
import type { Unpacking } from "./plan.ts";

const listCommand = (unpacking: Unpacking, archive: string): string[] =>
  unpacking === "zip" ? ["unzip", "-Z1", archive] : ["tar", "-tf", archive];

/** The program that unpacks. `single`: the file that a lone compressed one becomes. */
export function unpackCommand(
  unpacking: Exclude<Unpacking, "none">,
  archive: string,
  folder: string,
  single: string,
): string[] {
  if (unpacking === "zip") return ["unzip", "-o", "-q", "-d", folder, archive];
  if (unpacking === "gzip") return ["sh", "-c", 'gzip -dc -- "$1" > "$2"', "sh", archive, join(folder, single)];
  return ["tar", "-C", folder, "-xf", archive];
}

/** What is unpacked. */
export interface Archive {
  readonly unpacking: Exclude<Unpacking, "none">;
  /** Where the programs find it: a name in the sandbox, or their descriptor 3. */
  readonly path: string;
  readonly descriptor: number | undefined;
  /** Its destination below the sandbox. */
  readonly name: string;
}

/** Where a program finds the descriptor that it is given. */
export const HANDED = "/proc/self/fd/3";

/**
 * Unpacks into a folder of its own, then moves what came into the sandbox: neither a name with `..` nor a link in the
 * archive, or in one before it, makes anything be written elsewhere. The archive stays. Rejects with an Error.
 */
export async function unpack(
  { unpacking, path, descriptor, name }: Archive,
  { environment, folder: root }: Pick<CommandOptions, "environment" | "folder">,
): Promise<void> {
  const options = { environment, folder: root, descriptor };
  if (unpacking !== "gzip") {
    const listing = new ListingCheck();
    const output = (piece: string): void => listing.take(piece);
    await runCommand(listCommand(unpacking, path), { ...options, output });
    listing.end();
  }
  const folder = basename(await mkdtemp(join(root, ".fetch-")));
  try {
    const target = name.replace(/\.gz$/, "");
    const single = basename(target);
    await runCommand(unpackCommand(unpacking, path, folder, single), options);
    if (unpacking === "gzip") {
      await preparePlace(root, target);
      await rename(join(root, folder, single), join(root, target));
    } else await moveInto(join(root, folder), root);
  } finally {
    await rm(join(root, folder), { recursive: true, force: true });
  }
}
