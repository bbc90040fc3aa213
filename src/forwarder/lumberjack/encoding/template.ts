import { bytesOf } from "../../../base/file-names.ts";
import type { Version } from "../../model/settings.ts";
import { DATA, JSON_DATA, versionByte, writeUint32 } from "./frames.ts";

/** What is the same in every event of a source. */
export interface Constants {
  readonly file: string;
  readonly host: string;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * The bytes of a frame up to the digits of its offset, encoded once per source: frame head with room for the sequence,
 * then file, host and fields. Version 1 counts pairs, version 2 is the beginning of a JSON object.
 */
export interface Template {
  readonly version: Version;
  readonly constants: Constants;
  readonly bytes: Uint8Array;
  /** Pairs of a version 1 frame, offset and line included. */
  readonly pairs: number;
  /** Moves the time that version 2 events carry. */
  setTime(milliseconds: number): void;
}

/** Bytes before the payload of a J frame: head, sequence, length. D: head, sequence, pairs. */
export const FRAME_HEAD = 10;

const TIMESTAMP_LENGTH = "2026-01-01T00:00:00.000Z".length;

/** A pair of a version 1 frame. */
export function encodePair(key: string, value: string): Buffer {
  const [keyBytes, valueBytes] = [Buffer.from(key), bytesOf(value)];
  const pair = Buffer.allocUnsafe(8 + keyBytes.length + valueBytes.length);
  pair.writeUInt32BE(keyBytes.length, 0);
  keyBytes.copy(pair, 4);
  pair.writeUInt32BE(valueBytes.length, 4 + keyBytes.length);
  valueBytes.copy(pair, 8 + keyBytes.length);
  return pair;
}

/**
 * file and host, with the fields laid over them: a field named `host` replaces ours. In version 2 the line is `message`,
 * so a field of that name is left out.
 */
export function constantPairs({ file, host, fields }: Constants, version: Version): [string, string][] {
  return Object.entries({ file, host, ...fields }).filter(([key]) => version === 1 || key !== "message");
}

function versionOne(constants: Constants): Template {
  const pairs = constantPairs(constants, 1);
  const offsetKey = Buffer.concat([Buffer.from([0, 0, 0, 6]), Buffer.from("offset")]);
  const bytes = Buffer.concat([
    Buffer.from([versionByte(1), DATA, 0, 0, 0, 0, 0, 0, 0, 0]),
    ...pairs.map(([key, value]) => encodePair(key, value)),
    offsetKey,
  ]);
  writeUint32(bytes, 6, pairs.length + 2);
  return {
    version: 1,
    constants,
    bytes: new Uint8Array(bytes),
    pairs: pairs.length + 2,
    setTime: () => undefined,
  };
}

function versionTwo(constants: Constants): Template {
  const pairs = constantPairs(constants, 2)
    .map(([key, value]) => `,${JSON.stringify(key)}:${JSON.stringify(value.toWellFormed())}`)
    .join("");
  const head = `{"@timestamp":"`;
  const bytes = new Uint8Array(
    Buffer.concat([
      Buffer.from([versionByte(2), JSON_DATA, 0, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(`${head}${new Date(0).toISOString()}"${pairs},"offset":`),
    ]),
  );
  let current = Number.NaN;
  return {
    version: 2,
    constants,
    bytes,
    pairs: 0,
    setTime(milliseconds) {
      if (milliseconds === current) return;
      current = milliseconds;
      const text = new Date(milliseconds).toISOString();
      for (let index = 0; index < TIMESTAMP_LENGTH; index++)
        bytes[FRAME_HEAD + head.length + index] = text.charCodeAt(index);
    },
  };
}

/** Encodes what every event of a source shares. */
export function templateOf(version: Version, constants: Constants): Template {
  return version === 1 ? versionOne(constants) : versionTwo(constants);
}
