import { crc32, gzipSync } from "node:zlib";
import { damaged } from "./damage.ts";

/** An entry of an archive, as no program would pack it. */
export interface Entry {
  readonly name: Buffer;
  /** As in a tar header: 0 file, 1 hard link, 2 link, 3 and 4 devices, 5 folder, 6 FIFO. */
  readonly type: number;
  readonly target: string;
  readonly mode: number;
}

export type Format = "tar" | "tar.gz" | "zip";

const END_OF_TAR = Buffer.alloc(1024);

const contentOf = ({ type, target }: Entry, links: "in the header" | "as content"): Buffer => {
  if (type === 0) return Buffer.from("content");
  return Buffer.from(type === 2 && links === "as content" ? target : "");
};

/** The number that makes a header whole: tar(1) unpacks nothing without it. */
function seal(header: Buffer): Buffer {
  header.write("        ", 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

/**
 * A POSIX tar, byte by byte: tar(1) itself would not pack what is meant to do harm. `touch` may change a header before
 * its checksum is made.
 */
export function tar(entries: readonly Entry[], touch: (header: Buffer) => void = () => undefined): Buffer {
  const blocks = entries.flatMap((entry) => {
    const { name, type, target, mode } = entry;
    const content = contentOf(entry, "in the header");
    const header = Buffer.alloc(512);
    name.copy(header, 0, 0, 100);
    header.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
    header.write("0000000\x000000000\0", 108);
    header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("00000000000\0", 136);
    header.write(String(type), 156);
    header.write(target.slice(0, 100), 157);
    header.write("ustar\x0000", 257);
    header.write("0000001\x000001\0", 329);
    touch(header);
    return [seal(header), ...(content.length === 0 ? [] : [content, Buffer.alloc(512 - content.length)])];
  });
  return Buffer.concat([...blocks, END_OF_TAR]);
}

/** Types of files in the upper half of a Unix mode, by their number in a tar header. */
const FILE_TYPES = [0o100000, 0o100000, 0o120000, 0o020000, 0o060000, 0o040000, 0o010000];

/** A zip made on Unix, nothing compressed. `touch` may change the local header and its twin in the directory. */
function zip(entries: readonly Entry[], touch: (header: Buffer) => void = () => undefined): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = entry.type === 5 ? Buffer.concat([entry.name, Buffer.from("/")]) : entry.name;
    const content = contentOf(entry, "as content");
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    touch(common);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, name, content]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((((FILE_TYPES[entry.type] ?? 0) | entry.mode) << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, rest, name]));
    files.push(local);
    offset += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, ...directory, end]);
}

/**
 * One archive of a series: some are sound (and mean harm), some have a header changed and a right checksum, some are
 * damaged as a whole. `random` as `seeded` makes it.
 */
export function mutated(format: Format, entries: readonly Entry[], random: (below: number) => number): Buffer {
  const temper = random(4);
  const touch = (header: Buffer): void => {
    if (temper !== 1 || random(3) !== 0) return;
    for (let count = 1 + random(4); count > 0; count--) header[random(header.length)] = random(256);
  };
  const whole = format === "zip" ? zip(entries, touch) : tar(entries, touch);
  const inner = temper === 2 ? damaged(whole, random, [tar(entries), zip(entries)]).content : whole;
  if (format !== "tar.gz") return inner;
  const packed = gzipSync(inner, { level: 1 });
  return temper === 3 ? damaged(packed, random, [inner]).content : packed;
}
