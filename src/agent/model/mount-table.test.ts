import { expect, it } from "vitest";
import { mountsBelow, parseMountInfo } from "./mount-table.ts";

const TEXT = String.raw`21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 21 254:0 /srv/data /w/s1/data rw shared:1 - ext4 /dev/vda rw
31 30 0:40 / /w/s1/data/in\040side rw - tmpfs none rw
32 21 254:0 /etc/passwd /w/s1/file rw - ext4 /dev/vda rw
33 21 254:0 /other /w/s10 rw - ext4 /dev/vda rw
34 30 254:0 /again /w/s1/data rw - ext4 /dev/vda rw
`;

it("reads the kernel's list, names with spaces and binds of one file included", () => {
  expect(parseMountInfo(TEXT)).toHaveLength(6);
  expect(parseMountInfo(TEXT)[2]).toEqual({ id: 31, path: "/w/s1/data/in side", what: "tmpfs /" });
  expect(parseMountInfo(TEXT)[1]).toMatchObject({ id: 30, what: "ext4 /srv/data" });
});

it("finds what is mounted on or below folders, in the order in which it comes off", () => {
  const found = mountsBelow(parseMountInfo(TEXT), new Set(["/w/s1", "/w/s10", "/w/s2", "/w"]));
  const ids = (folder: string) => found.get(folder)?.map(({ id }) => id);
  expect(ids("/w/s1")).toEqual([31, 34, 32, 30]);
  expect(ids("/w/s10")).toEqual([33]);
  expect(ids("/w/s2")).toBeUndefined();
  expect(ids("/w")).toHaveLength(5);
});
