import { createReadStream } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { createZstdDecompress } from "node:zlib";
import { type CommandOptions, runCommand } from "./command.ts";
import { ListingCheck } from "./listing.ts";
import { moveInto, preparePlace } from "./place.ts";
import type { Unpacking } from "./plan.ts";

function listCommand(unpacking: Unpacking, archive: string): string[] {
  if (unpacking === "zip") return ["unzip", "-Z1", archive];
  return ["tar", "-tf", unpacking === "tar.zst" ? "-" : archive];
}

/** The program that unpacks. `single`: the file that a lone compressed one becomes. */
export function unpackCommand(
  unpacking: Exclude<Unpacking, "none">,
  archive: string,
  folder: string,
  single: string,
): string[] {
  if (unpacking === "zip") return ["unzip", "-o", "-q", "-d", folder, archive];
  if (unpacking === "gzip") return ["sh", "-c", 'gzip -dc -- "$1" > "$2"', "sh", archive, join(folder, single)];
  return ["tar", "-C", folder, "-xf", unpacking === "tar.zst" ? "-" : archive];
}

/** What is unpacked. */
export interface Archive {
  readonly unpacking: Exclude<Unpacking, "none">;
  /**
   * Where the programs find it: a way from the sandbox, or their descriptor 3. With a slash in front of any colon, which tar(1)
   * takes for another machine's name, and no dash at its beginning.
   */
  readonly path: string;
  readonly descriptor: number | undefined;
  /** Its destination below the sandbox. */
  readonly name: string;
  /** Otherwise only what was in it stays in the sandbox. */
  readonly keep: boolean;
}

/** Where a program finds the descriptor that it is given. */
export const HANDED = "/proc/self/fd/3";

/** What tar(1) is to read of a zstd archive: by Node, as the program zstd that tar would call need not be there. */
function decompressed(root: string, path: string, descriptor: number | undefined): Readable {
  const file = createReadStream(descriptor === undefined ? join(root, path) : `/proc/self/fd/${descriptor}`);
  const plain = createZstdDecompress();
  file.on("error", (error) => plain.destroy(error));
  return file.pipe(plain);
}

/**
 * Unpacks into a folder of its own, then moves what came into the sandbox: neither a name with `..` nor a link in the
 * archive, or in one before it, makes anything be written elsewhere. Rejects with an Error.
 */
export async function unpack(
  { unpacking, path, descriptor, name, keep }: Archive,
  { environment, folder: root }: Pick<CommandOptions, "environment" | "folder">,
): Promise<void> {
  const run = (argv: string[], more: Partial<CommandOptions> = {}): Promise<void> =>
    runCommand(argv, {
      environment,
      folder: root,
      descriptor,
      ...(unpacking === "tar.zst" && { input: decompressed(root, path, descriptor) }),
      ...more,
    });
  if (unpacking !== "gzip") {
    const listing = new ListingCheck();
    const output = (piece: string): void => listing.take(piece);
    await run(listCommand(unpacking, path), { output });
    listing.end();
  }
  const folder = basename(await mkdtemp(join(root, ".fetch-")));
  try {
    const target = name.replace(/\.gz$/, "");
    const single = basename(target);
    await run(unpackCommand(unpacking, path, folder, single));
    // Before: something in it may have its name.
    if (!keep) await rm(join(root, path));
    if (unpacking === "gzip") {
      await preparePlace(root, target);
      await rename(join(root, folder, single), join(root, target));
    } else await moveInto(join(root, folder), root);
  } finally {
    await rm(join(root, folder), { recursive: true, force: true });
  }
}
