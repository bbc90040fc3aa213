import * as z from "zod";
import type { Source } from "../model/source.ts";

/** One entry of the registry file. */
export interface Entry {
  readonly source: string;
  readonly path: string | undefined;
  readonly last: string;
  readonly device: string;
  readonly inode: string;
  readonly born: string;
  readonly fingerprint: { readonly length: number; readonly hash: string };
  readonly offset: number;
  readonly tail: { readonly length: number; readonly crc: number } | undefined;
  readonly touched: number;
  /** Which of the entries of `files` that name the file: absent for the first, `EVERY` for the old program's only one. */
  readonly entry?: number | undefined;
  /** The offset is the old program's, and not understood yet. */
  readonly imported?: boolean | undefined;
}

/** The old program had one position for all entries that name a file. */
export const EVERY = -1;

const whole = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const digits = z.string().regex(/^\d{1,20}$/);

const entrySchema = z.object({
  source: z.string().min(1),
  path: z.string().min(1).optional(),
  last: z.string().min(1).optional(),
  entry: whole.optional(),
  device: digits,
  inode: digits,
  born: digits,
  fingerprint: z.object({ length: whole.max(1024), hash: z.string() }),
  offset: whole,
  tail: z.object({ length: whole.max(1024), crc: whole }).optional(),
  touched: whole,
  imported: z.boolean().optional(),
});

const registrySchema = z.object({ format: z.literal(1), files: z.array(z.unknown()) });

/** The old program's file: keyed by path. Inode and device are absent on other systems. */
const oldSchema = z.record(z.string(), z.unknown());
/** Numbers of 64 bits as `withWholeNumbers` gives them. */
const number64 = z.union([whole.transform(String), digits]);
const oldEntrySchema = z.object({
  source: z.string().optional(),
  offset: whole,
  inode: number64.optional(),
  device: number64.optional(),
});

/** Numbers that lose digits as they are parsed, as the text that they are: inodes of overlayfs, CIFS or NFS may exceed 2^53. */
const withWholeNumbers = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === "number" && !Number.isSafeInteger(value) ? context?.source : value;

/** What a registry file holds. `broken`: entries that could not be read. Throws when the text is no registry at all. */
export function parseRegistry(text: string): { entries: Entry[]; broken: number; old: boolean } {
  const value: unknown = JSON.parse(text);
  const registry = registrySchema.safeParse(value);
  if (registry.success) {
    const parsed = registry.data.files.map((file) => entrySchema.safeParse(file));
    const entries = parsed.flatMap(({ data }) =>
      data === undefined
        ? []
        : [{ ...data, path: data.path, last: data.last ?? data.path ?? data.source, tail: data.tail } satisfies Entry],
    );
    return { entries, broken: parsed.length - entries.length, old: false };
  }
  const old = oldSchema.safeParse(JSON.parse(text, withWholeNumbers)).data;
  if (old === undefined || "format" in old) throw new Error(complaintAbout(value));
  const entries = Object.entries(old).flatMap(([path, entry]) => oldEntryOf(path, entry));
  const broken = Object.keys(old).length - entries.length;
  if (broken > 0 && entries.length === 0) throw new Error(complaintAbout(value));
  return { entries, broken, old: true };
}

function oldEntryOf(path: string, entry: unknown): Entry[] {
  const { data } = oldEntrySchema.safeParse(entry);
  if (data === undefined) return [];
  const { source = path, offset, inode = "0", device = "0" } = data;
  return [
    {
      source,
      path: source,
      last: source,
      entry: EVERY,
      device,
      inode,
      born: "0",
      fingerprint: { length: 0, hash: "" },
      offset,
      tail: undefined,
      touched: 0,
      imported: true,
    },
  ];
}

/** Why a file is no registry, in a few words. */
function complaintAbout(value: unknown): string {
  const format = (value as { format?: unknown } | null)?.format;
  return format === undefined ? "it holds no positions" : `its format ${JSON.stringify(format)} is not known here`;
}

/** A source as the registry keeps it. */
export function entryOf(source: Source): Partial<Entry> {
  const { entry, name, path, last, identity, fingerprint, acked, ackedTail, touched, imported } = source;
  return {
    source: name,
    path,
    // Where it lies is where it lay last: said once.
    ...(last === path ? {} : { last }),
    ...(entry === 0 ? {} : { entry }),
    ...identity,
    fingerprint,
    offset: acked,
    tail: ackedTail,
    touched,
    ...(imported ? { imported } : {}),
  };
}

/** Entries that are put together for one write. */
const AT_ONCE = 256;

/**
 * The whole file: one text, or pieces when there are many entries, because that is megabytes, several times a second. One
 * entry a line, so that a person can read it.
 */
export function formatRegistry(entries: readonly string[]): string | Iterable<string> {
  return entries.length <= AT_ONCE ? [...piecesOf(entries)].join("") : piecesOf(entries);
}

function* piecesOf(entries: readonly string[]): Generator<string> {
  yield '{"format":1,"files":[\n';
  for (let from = 0; from < entries.length; from += AT_ONCE)
    yield `${from === 0 ? "" : ",\n"}${entries.slice(from, from + AT_ONCE).join(",\n")}`;
  yield "\n]}\n";
}
