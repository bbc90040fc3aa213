import { crc32 } from "node:zlib";
import { type FileFacts, fingerprintOf, tailAt } from "../model/content.ts";
import type { Source } from "../model/source.ts";

/** Where and how a new source begins. */
export interface Beginning {
  readonly group: number;
  readonly compressed: boolean;
  readonly head: Buffer;
  readonly at: number;
  readonly fd: number;
  readonly now: number;
  readonly hole?: boolean;
}

/** A source that begins now, at byte `begin.at`; what lies before is taken for acknowledged. */
export function newSource(name: string, facts: FileFacts, begin: Beginning): Source {
  const before = tailAt(begin.fd, begin.at);
  const tail = before.length === 0 ? undefined : { length: before.length, crc: crc32(before) };
  return {
    name,
    path: undefined,
    last: name,
    identity: facts.identity,
    fingerprint: fingerprintOf(begin.head),
    group: begin.group,
    compressed: begin.compressed,
    hole: begin.hole ?? false,
    read: begin.at,
    readTail: tail,
    acked: begin.at,
    ackedTail: tail,
    touched: begin.now,
    size: facts.size,
    modified: facts.modified,
  };
}
