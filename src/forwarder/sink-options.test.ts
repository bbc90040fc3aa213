import { expect, test } from "vitest";
import { sinkOptions } from "./sink-options.ts";

test("where it listens, and with which files", () => {
  expect(sinkOptions([])).toEqual({ host: "0.0.0.0", port: 5043, tls: undefined });
  expect(sinkOptions(["--listen", "127.0.0.1:0"])).toMatchObject({ host: "127.0.0.1", port: 0 });
  expect(sinkOptions(["--listen=[::1]:99"])).toMatchObject({ host: "::1", port: 99 });
  expect(sinkOptions(["--listen=:99", "--cert", "/c", "--key=/k"])).toEqual({
    host: "0.0.0.0",
    port: 99,
    tls: { cert: "/c", key: "/k" },
  });
});

test.for([["--help"], ["-h"], ["--help", "--lisen"]])("%j is asked for", (words) => {
  expect(sinkOptions(words)).toBe("help");
});

test("as every program it tells its version", () => {
  expect(sinkOptions(["--version"])).toBe("version");
});

test.for<[string, string[]]>([
  ["did you mean --listen?", ["--lisen=x"]],
  ["did you mean --cert?", ["--crt", "/c"]],
  ["--listen=abc is no address\n  Fix: write host:port", ["--listen=abc"]],
  ["is no address", ["--listen=[::1]:99999"]],
  ["is no address", ["--listen="]],
  ["Missing value\n  Fix: write --listen=VALUE", ["--listen"]],
  ["'word' is no flag", ["word"]],
  ["belong together\n  Fix: give both", ["--cert=/c"]],
  ["already loaded", ["--key=/k", "--key=/k"]],
])("%s", ([words, given]) => {
  expect(() => sinkOptions(given)).toThrow(expect.objectContaining({ text: expect.stringContaining(words) }));
});
