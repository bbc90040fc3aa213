import { type Clock, every, type Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Engine, ImageSummary } from "../../../docker/engine.ts";
import { withTag } from "../../../docker/image-reference.ts";

/** Removal of unused images when the disk fills: `--image_gc_config`, and what the native collector never had. */
export interface ImageCollection {
  /** Images are removed until this share of the disk (0 to 1) is free. */
  readonly headroom: number;
  /** Milliseconds between two looks. */
  readonly interval: number;
  /** Names of images that stay. */
  readonly excluded: readonly string[];
  /** true: only say what would be removed. */
  readonly dryRun: boolean;
  /** Free and total bytes of the disk that holds the images. */
  readonly disk: () => Promise<{ readonly free: number; readonly total: number }>;
}

export interface ImageUse {
  readonly images: readonly ImageSummary[];
  /** Ids of images that any container, ours or not, was made from. */
  readonly used: ReadonlySet<string>;
  readonly excluded: readonly string[];
  /** Milliseconds since the epoch of the last launch, by image id. */
  readonly lastUse: ReadonlyMap<string, number>;
  /** Bytes to be freed. */
  readonly wanted: number;
}

/** The images to remove: unused ones, the longest unused first, until enough is free. */
export function imagesToRemove({ images, used, excluded, lastUse, wanted }: ImageUse): ImageSummary[] {
  const stays = new Set(excluded.map(withTag));
  const candidates = images
    .filter(({ id, tags }) => !used.has(id) && !tags.some((tag) => stays.has(tag)))
    .map((image) => ({ image, at: lastUse.get(image.id) ?? image.created * 1000 }))
    .sort((left, right) => left.at - right.at || (left.image.id < right.image.id ? -1 : 1));
  const chosen: ImageSummary[] = [];
  let freed = 0;
  for (const { image } of candidates) {
    if (freed >= wanted) break;
    chosen.push(image);
    freed += image.bytes;
  }
  return chosen;
}

/** Looks at the disk now and then. Images that are being launched from are protected by `protect`. */
export class ImageCollector {
  readonly #engine: Pick<Engine, "images" | "list" | "removeImage">;
  readonly #settings: ImageCollection;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lastUse = new Map<string, number>();
  readonly #launching = new Map<string, number>();
  readonly #timer: Timer;
  #running: Promise<void> | undefined;

  constructor(
    engine: Pick<Engine, "images" | "list" | "removeImage">,
    settings: ImageCollection,
    clock: Clock,
    log: Logger,
  ) {
    this.#engine = engine;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#timer = every(clock, settings.interval, () => {
      this.#running ??= this.collect().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** While a launch holds the image named so, it stays. */
  async protect<T>(reference: string, work: () => Promise<T>): Promise<T> {
    this.#launching.set(reference, (this.#launching.get(reference) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = (this.#launching.get(reference) ?? 1) - 1;
      if (left === 0) this.#launching.delete(reference);
      else this.#launching.set(reference, left);
    }
  }

  /** A container was made from the image of this id. */
  used(imageId: string): void {
    this.#lastUse.set(imageId, this.#clock.now());
  }

  /** One look; never rejects. */
  async collect(): Promise<void> {
    const { headroom, excluded, dryRun, disk } = this.#settings;
    try {
      const { free, total } = await disk();
      const wanted = total * headroom - free;
      if (wanted <= 0) return;
      const images = await this.#engine.images();
      const used = new Set((await this.#engine.list()).map(({ imageId }) => imageId));
      const stay = [...excluded, ...this.#launching.keys()];
      const chosen = imagesToRemove({ images, used, excluded: stay, lastUse: this.#lastUse, wanted });
      if (chosen.length === 0) this.#log.warn("Image collection: the disk is too full, but no image is unused");
      for (const image of chosen) await this.#remove(image, dryRun);
      const present = new Set(images.map(({ id }) => id));
      for (const id of this.#lastUse.keys()) if (!present.has(id)) this.#lastUse.delete(id);
    } catch (error) {
      this.#log.warn(`Image collection: ${messageOf(error)}`);
    }
  }

  close(): void {
    this.#timer.cancel();
  }

  async #remove(image: ImageSummary, dryRun: boolean): Promise<void> {
    const name = `${image.tags.join(", ") || image.id} (${(image.bytes / 1e6).toFixed(1)} MB)`;
    if (dryRun) return this.#log.info(`Image collection: would remove ${name}`);
    try {
      // By tags: an id with several tags can only be removed by force, which would also take running containers' images.
      for (const tag of image.tags.length === 0 ? [image.id] : image.tags) await this.#engine.removeImage(tag);
      this.#log.info(`Image collection: removed ${name}`);
    } catch (error) {
      this.#log.warn(`Image collection: cannot remove ${name}: ${messageOf(error)}`);
    }
  }
}
