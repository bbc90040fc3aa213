/** Longer names than this no file system takes; tar(1) writes each byte of an odd one as four characters. */
const LONGEST_NAME = 4 * 4096;

/**
 * Reads the listing of an archive, one name a line, as it comes: an archive may have millions of entries. Throws an
 * Error for a name that would leave the folder which the archive is unpacked in, or that no file can have.
 */
export class ListingCheck {
  #line = "";

  take(piece: string): void {
    const lines = (this.#line + piece).split("\n");
    this.#line = lines.pop() ?? "";
    for (const name of lines) check(name);
    if (this.#line.length > LONGEST_NAME) check(this.#line);
  }

  /** The listing is complete: a last line without its end counts too. */
  end(): void {
    check(this.#line);
  }
}

function check(name: string): void {
  if (name.length > LONGEST_NAME) throw new Error(`the archive has an entry whose name has over ${LONGEST_NAME} bytes`);
  if (name.split("/").includes("..")) {
    throw new Error(`the archive has the entry '${name}', which leads out of the sandbox`);
  }
}
