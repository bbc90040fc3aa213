import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { servedPages } from "../support/served-pages.ts";

const { sandbox, ask } = servedPages();

/** Names as bytes, as an archive from an old machine or a careless program leaves them: none is UTF-8. */
const NAMES = ["caf\xe9.txt", "x\xfe", "x\xff", "\xff?;&=#% +.log"];
const written = (name: string): string =>
  [...Buffer.from(name, "latin1")].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

beforeAll(() => {
  for (const name of NAMES)
    writeFileSync(
      Buffer.concat([Buffer.from(`${sandbox}/sub/`), Buffer.from(name, "latin1")]),
      `I am ${written(name)}`,
    );
});

const folder = join(sandbox, "sub");
const query = (path: string): string => `?path=${encodeURIComponent(path)}`;
const operator = async (type: string, member: object) => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ type, [type.toLowerCase()]: member });
  return JSON.parse((await ask("/api/v1", { method: "POST", headers, body })).text);
};

describe("names that are not UTF-8", () => {
  it.each(NAMES.map(written))("%s is read and downloaded by its bytes", async (name) => {
    const path = `?path=${encodeURIComponent(folder)}/${name}`;
    expect(JSON.parse((await ask(`/files/read${path}&offset=0`)).text).data).toBe(`I am ${name}`);
    const downloaded = await ask(`/files/download${path}`);
    expect([downloaded.status, downloaded.text]).toEqual([200, `I am ${name}`]);
    expect(downloaded.headers["content-disposition"]).toMatch(/^attachment; filename=/);
  });

  it("are listed, each of its own, and read and downloaded as they are listed", async () => {
    const listed = JSON.parse((await ask(`/files/browse${query(folder)}`)).text) as { path: string }[];
    const paths = listed.map(({ path }) => path);
    expect(new Set(paths).size).toBe(NAMES.length);
    expect(paths).toContain(join(folder, "caf\ufffd.txt"));
    expect(paths).toContain(join(folder, "x\\xfe"));
    const read = async (path: string) => JSON.parse((await ask(`/files/read${query(path)}&offset=0`)).text).data;
    expect((await Promise.all(paths.map(read))).toSorted()).toEqual(
      NAMES.map((name) => `I am ${written(name)}`).toSorted(),
    );
    const download = async (path: string) => (await ask(`/files/download${query(path)}`)).text;
    expect(await Promise.all(paths.map(download))).toEqual(await Promise.all(paths.map(read)));
  });

  it("are the same in the operator API", async () => {
    const { list_files } = await operator("LIST_FILES", { path: folder });
    const paths = (list_files.file_infos as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(
      JSON.parse((await ask(`/files/browse${query(folder)}`)).text).map((one: { path: string }) => one.path),
    );
    const contents = await Promise.all(
      paths.map(async (path) => {
        const { read_file } = await operator("READ_FILE", { path, offset: 0 });
        return Buffer.from(read_file.data, "base64").toString();
      }),
    );
    expect(contents.toSorted()).toEqual(NAMES.map((name) => `I am ${written(name)}`).toSorted());
  });

  it("that look the same are not guessed", async () => {
    const answer = await ask(`/files/read${query(join(folder, "x\ufffd"))}&offset=0`);
    expect([answer.status, answer.text]).toEqual([400, "The path may be any of 2 files: ask for x\\xfe or x\\xff.\n"]);
    expect((await ask(`/files/read${query(join(folder, "y\ufffd"))}&offset=0`)).status).toBe(404);
  });
});
