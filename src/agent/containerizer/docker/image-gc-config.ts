import { statfs } from "node:fs/promises";
import * as z from "zod";
import { UserError } from "../../../base/errors.ts";
import type { ImageCollection } from "./image-collection.ts";

const configSchema = z.object({
  image_disk_headroom: z.number().min(0).max(1),
  image_disk_watch_interval: z.object({ nanoseconds: z.number().positive() }),
  excluded_images: z.array(z.object({ docker: z.object({ name: z.string() }).optional() })).default([]),
});

export interface CollectionSettings {
  /** A folder on the disk that holds the images, for example Docker's root directory. */
  readonly folder: string;
  readonly dryRun: boolean;
}

/**
 * Reads `--image_gc_config` (ImageGcConfig as JSON: headroom from 0 to 1, interval in nanoseconds, excluded images).
 * Throws a UserError that names the field.
 */
export function parseImageCollection(value: unknown, { folder, dryRun }: CollectionSettings): ImageCollection {
  const result = configSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new UserError(
      `image_gc_config: ${issue?.path.join(".")}: ${issue?.message}`,
      'write for example {"image_disk_headroom": 0.1, "image_disk_watch_interval": {"nanoseconds": 3600000000000}}',
    );
  }
  const { image_disk_headroom: headroom, image_disk_watch_interval: interval, excluded_images: excluded } = result.data;
  return {
    headroom,
    interval: interval.nanoseconds / 1e6,
    excluded: excluded.flatMap(({ docker }) => docker?.name ?? []),
    dryRun,
    disk: async () => {
      const { bavail, blocks, bsize } = await statfs(folder);
      return { free: bavail * bsize, total: blocks * bsize };
    },
  };
}
