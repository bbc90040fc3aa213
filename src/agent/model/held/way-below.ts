import { constants, type Stats } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { codeOf } from "../../../base/errors.ts";
import { onDisk, pathOf as textOf } from "../../../base/file-names.ts";
import { kindOf, mountOf, NotHeld, O_PATH, pathOf } from "./descriptor.ts";
import { nameShownAs } from "./shown-names.ts";

/** As the kernel's own limit. */
const MOST_LINKS = 40;
const READABLE_BY_ALL = 0o004;

/** A file or folder that is held, not opened: `place` reads nothing yet. The caller closes it. */
export interface PlaceBelow {
  readonly place: FileHandle;
  readonly info: Stats;
}

/**
 * Finds `way` below the folder (or file) `root` for a reader who may see all that is in there, and nothing else. Links
 * within are followed, name by name, as their owner meant them; one that leads out, onto another mount (with that into
 * procfs, whose links lead into other namespaces) or to anything but a folder or a file is refused. So is a file that
 * also has names elsewhere, unless it belongs to the folder's owner or may be read by all: a hard link needs no rights on
 * what it names. Names that are not UTF-8 are found as base/file-names.ts writes them and as they are shown. Rejects with
 * the system's error or a NotHeld.
 */
export async function openBelow(root: string, way: string): Promise<PlaceBelow> {
  const top = await open(root, O_PATH);
  const walk = new Walk(top, root);
  try {
    await walk.go(way);
    return walk.arrive();
  } finally {
    await walk.close();
  }
}

/** The folders from the root to where the walk is; the last may be a file. */
class Walk {
  readonly #root: string;
  readonly #places: { readonly place: FileHandle; readonly info: Stats }[] = [];
  readonly #top: FileHandle;
  #mount: number | undefined;
  #links = 0;

  constructor(top: FileHandle, root: string) {
    this.#top = top;
    this.#root = root;
  }

  async go(way: string): Promise<void> {
    this.#places.push({ place: this.#top, info: await this.#top.stat() });
    const rest = way.split("/").reverse();
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") await this.#up(way);
      else await this.#step(name, way, rest);
    }
  }

  async #up(way: string): Promise<void> {
    if (this.#places.length === 1) throw new NotHeld(way, "leads out of its folder");
    await this.#places.pop()?.place.close();
  }

  async #step(name: string, way: string, rest: string[]): Promise<void> {
    const folder = this.#places.at(-1);
    if (folder === undefined || !folder.info.isDirectory())
      throw Object.assign(new Error("ENOTDIR"), { code: "ENOTDIR" });
    const { path, place } = await held(pathOf(folder.place.fd), name);
    this.#places.push({ place, info: await place.stat() });
    this.#mount ??= mountOf(this.#top.fd);
    if (mountOf(place.fd) !== this.#mount) throw new NotHeld(way, "leads out of its folder, onto another mount");
    if (this.#places.at(-1)?.info.isSymbolicLink()) await this.#follow(await targetOf(path), way, rest);
  }

  async #follow(target: string, way: string, rest: string[]): Promise<void> {
    if (++this.#links > MOST_LINKS) throw Object.assign(new Error("ELOOP"), { code: "ELOOP" });
    await this.#places.pop()?.place.close();
    let relative = target;
    if (isAbsolute(target)) {
      const homes = [this.#root, await readlink(pathOf(this.#top.fd))];
      const home = homes.find((one) => target === one || target.startsWith(`${one}/`));
      if (home === undefined) throw new NotHeld(way, "leads out of its folder");
      relative = target.slice(home.length);
      while (this.#places.length > 1) await this.#places.pop()?.place.close();
    }
    rest.push(...relative.split("/").reverse());
  }

  /** Where it came to; that is not closed any more. */
  arrive(): PlaceBelow {
    const here = this.#places.pop();
    const owner = this.#places[0]?.info.uid ?? here?.info.uid;
    if (here === undefined) throw new Error("a walk begins somewhere");
    try {
      const { info } = here;
      if (!info.isDirectory() && !info.isFile()) throw new NotHeld("", `${kindOf(info)}, neither a file nor a folder`);
      const isOdd = info.isFile() && info.nlink > 1 && info.uid !== owner && (info.mode & READABLE_BY_ALL) === 0;
      if (isOdd) throw new NotHeld("", "is a file that belongs to somebody else and has names elsewhere");
      return here;
    } catch (error) {
      this.#places.push(here);
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const { place } of this.#places) await place.close();
  }
}

/** Holds the entry of a folder that has this name or, where none has it, is shown so. */
async function held(folder: string, name: string): Promise<{ path: string | Buffer; place: FileHandle }> {
  const at = async (entry: string) => {
    const path = onDisk(`${folder}/${entry}`);
    // Node takes bytes for a path; its types say so of all calls but this one.
    return { path, place: await open(path as string, O_PATH | constants.O_NOFOLLOW) };
  };
  try {
    return await at(name);
  } catch (error) {
    const real = codeOf(error) === "ENOENT" ? await nameShownAs(folder, name) : undefined;
    if (real === undefined) throw error;
    return await at(real);
  }
}

/** A link's target. One that is something else by now was replaced: what was looked for is gone (ENOENT). */
async function targetOf(path: string | Buffer): Promise<string> {
  try {
    return textOf(await readlink(path, { encoding: "buffer" }));
  } catch (error) {
    throw codeOf(error) === "EINVAL" ? Object.assign(new Error("ENOENT"), { code: "ENOENT" }) : error;
  }
}
