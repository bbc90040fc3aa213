import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { servedPages } from "../support/served-pages.ts";

const { folder, sandbox, ask, path } = servedPages();

describe("/files", () => {
  it("browses with ls' modes, sorted", async () => {
    const entries = JSON.parse((await ask(`/files/browse.json${path("")}`)).text);
    expect(entries.map(({ path: entry }: { path: string }) => entry.slice(sandbox.length + 1))).toEqual([
      "big",
      "bytes",
      "empty",
      "inside",
      "loop",
      'näme "1".txt',
      "out",
      "root",
      "sibling",
      "stdout",
      "sub",
    ]);
    expect(entries[0]).toMatchObject({ mode: "-rw-r--r--", size: 200_000, nlink: 1 });
    expect(entries.at(-1).mode).toBe("drwxr-xr-x");
    expect(JSON.parse((await ask(`/files/browse${path("stdout")}`)).text)).toEqual([]);
    expect((await ask("/files/browse")).text).toBe("Expecting 'path=value' in query.\n");
  });

  it("reads as the pager does: the size first, then parts of at most 64 KiB", async () => {
    expect((await ask(`/files/read${path("stdout")}&offset=-1`)).text).toBe('{"data":"","offset":14}');
    expect(JSON.parse((await ask(`/files/read${path("stdout")}&offset=6&length=3`)).text)).toEqual({
      data: '"wo',
      offset: 6,
    });
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=0`)).text).data).toHaveLength(65_536);
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=199990&length=50000`)).text).data).toHaveLength(10);
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=300000&length=1`)).text)).toEqual({
      data: "",
      offset: 300_000,
    });
    expect((await ask("/files/read?path=/slave/log&offset=0&jsonp=cb")).text).toBe(
      'cb({"data":"hello\\n\\"world\\"\\n","offset":0});',
    );
    const { body } = await ask(`/files/read${path("bytes")}&offset=0`);
    expect(body).toEqual(
      Buffer.concat([
        Buffer.from('{"data":"a'),
        Buffer.from([0xe2, 0x82, 0xac, 0xff]),
        Buffer.from('\\u0000\\n","offset":0}'),
      ]),
    );
  });

  it.each([
    ["read", `${path("sub")}&offset=0`, 400, "Cannot read a directory.\n"],
    ["read", `${path("stdout")}&offset=x`, 400, "Failed to parse offset: 'x' is not a whole number.\n"],
    ["read", `${path("stdout")}&offset=-2`, 400, "Negative offset provided: -2.\n"],
    ["read", `${path("missing")}&offset=0`, 404, "404 Not Found."],
    ["download", path("sub"), 400, "Cannot download a directory.\n"],
    ["download", path("missing"), 404, "404 Not Found."],
    ["browse", path("missing"), 404, "404 Not Found."],
    ["browse", path("loop"), 400, "ELOOP\n"],
  ])("%s%s: %i", async (page, query, status, text) => {
    const answer = await ask(`/files/${page}${query}`);
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it("never leaves the sandbox", async () => {
    const out = [
      "out",
      "root",
      "root/etc/passwd",
      "sibling",
      "sibling/secret",
      "../sandbox-of-another/secret",
      "sub/../../../secret",
      "..",
      "../..",
      "sub/..//..//../secret",
    ].map((name) => `${sandbox}/${name}`);
    const odd = [
      "/etc/passwd",
      "/",
      "",
      ".",
      "..",
      "../etc/passwd",
      `${sandbox}-of-another/secret`,
      `${sandbox}/stdout\0`,
      "/slave/log/../../etc/passwd",
      `${folder}/secret`,
      `${sandbox}/${"a/".repeat(2100)}`,
    ];
    for (const page of ["browse", "read", "download"]) {
      for (const given of [...out, ...odd]) {
        for (const written of [
          encodeURIComponent(given),
          encodeURIComponent(encodeURIComponent(given)),
          given.replaceAll("/", "%2f"),
        ]) {
          if (/[\0 ]/.test(written)) continue;
          const answer = await ask(`/files/${page}?offset=0&path=${written}`);
          expect([400, 404], `${page} ${written.slice(0, 200)}`).toContain(answer.status);
          expect(answer.text).not.toMatch(/root:|secret|another's/);
        }
      }
    }
  });

  it("downloads whole files with a name", async () => {
    const big = await ask(`/files/download${path("big")}`);
    expect([big.body.length, big.headers["content-length"], big.headers["content-type"]]).toEqual([
      200_000,
      "200000",
      "application/octet-stream",
    ]);
    expect(big.headers["content-disposition"]).toBe("attachment; filename=big");
    const named = await ask(`/files/download${path('näme "1".txt')}`);
    expect(named.headers["content-disposition"]).toBe(
      `attachment; filename="n_me _1_.txt"; filename*=UTF-8''n%C3%A4me%20%221%22.txt`,
    );
    expect(named.text).toBe("named");
    expect((await ask(`/files/download${path("empty")}`)).status).toBe(200);
    expect(JSON.parse((await ask("/files/debug.json")).text)).toEqual({
      "/slave/log": join(sandbox, "inside"),
      [sandbox]: sandbox,
    });
  });
});
