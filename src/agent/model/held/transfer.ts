import { read, write } from "node:fs";

/** Writes a part of `data` into an opened file, from `offset` of `data` on; resolves to how many bytes were taken. */
export function writeAt(file: number, data: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, data, offset, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}

/** Reads up to `length` bytes of an opened file from `position` on into `buffer`; resolves to how many came. */
export function readAt(file: number, buffer: Uint8Array, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, buffer, 0, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
