import { FINGERPRINT_BYTES, type FileFacts, fingerprintOf, readAt, tailAt, tailFrom } from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { endOf } from "./look.ts";

/** Where and how a new source begins. */
export interface Beginning {
  readonly group: number;
  /** See Source.entry. */
  readonly entry: number;
  readonly compressed: boolean;
  readonly at: number;
  readonly now: number;
}

/** A source that begins now in the open file, at byte `at`; what lies before is taken for acknowledged. */
export function newSource(name: string, file: OpenFile, facts: FileFacts, begin: Beginning): Source {
  const { group, entry, compressed, at, now } = begin;
  const tail = tailFrom(tailAt(file.fd, at));
  return {
    ...BEGINNING,
    name,
    path: undefined,
    last: name,
    identity: facts.identity,
    fingerprint: fingerprintOf(compressed ? Buffer.alloc(0) : readAt(file.fd, 0, FINGERPRINT_BYTES)),
    group,
    entry,
    compressed,
    read: at,
    readTail: tail,
    acked: at,
    ackedTail: tail,
    touched: now,
    size: facts.size,
    sizeTail: compressed ? undefined : endOf(file, facts.size),
    modified: facts.modified,
    changed: facts.changed,
  };
}
