import { type FileFacts, fingerprintOf, tailAt, tailFrom } from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { lookAt } from "./look.ts";

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
  const source: Source = {
    ...BEGINNING,
    name,
    path: undefined,
    last: name,
    identity: facts.identity,
    fingerprint: fingerprintOf(Buffer.alloc(0)),
    group,
    entry,
    compressed,
    read: at,
    readTail: tail,
    acked: at,
    ackedTail: tail,
    touched: now,
  };
  // What is known of it is of one moment: the facts may be older than a truncation. If it is truncated just now, nothing is.
  lookAt(source, file);
  return source;
}
