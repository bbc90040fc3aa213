import { describe, expect, it } from "vitest";
import { hostProblem, isCrossOrigin, mayBeCrossOrigin } from "./browsers.ts";

describe("the Host of a request", () => {
  it.each([
    undefined,
    "",
    "10.0.0.1:5051",
    "[::1]:5051",
    "localhost:5051",
    "node-1",
    "a.localhost",
    "node.local:5051",
    "Node.Example.com.:5051",
    "x.consul",
  ])("%s is ours", (host) => {
    expect(hostProblem(host, ["node.example.com", ".consul"])).toBeUndefined();
  });

  it.each(["evil.example:5051", "node.example.com.evil.example", "xnode.example.com", "consul.evil"])(
    "%s is not",
    (host) => {
      expect(hostProblem(host, ["node.example.com", ".consul"])).toContain("is not a name of this host");
      expect(hostProblem(host, ["*"])).toBeUndefined();
    },
  );
});

describe("a request across origins", () => {
  it.each([
    [{}, false],
    [{ "sec-fetch-site": "none" }, false],
    [{ "sec-fetch-site": "same-origin", origin: "http://h:1", host: "h:1" }, false],
    [{ origin: "http://h:1", host: "H:1" }, false],
    [{ "sec-fetch-site": "cross-site" }, true],
    [{ "sec-fetch-site": "same-site" }, true],
    [{ "sec-fetch-site": "same-origin", origin: "http://evil", host: "h:1" }, true],
    [{ origin: "http://evil.example", host: "h:1" }, true],
    [{ origin: "null", host: "h:1" }, true],
  ])("%o: %s", (headers, expected) => {
    expect(isCrossOrigin(headers)).toBe(expected);
  });

  it("is not to be ruled out for a GET of a browser that says nothing", () => {
    const browser = "Mozilla/5.0 (X11; Linux x86_64)";
    expect(mayBeCrossOrigin({ "user-agent": browser })).toBe(true);
    expect(mayBeCrossOrigin({ "user-agent": browser, "sec-fetch-site": "same-origin" })).toBe(false);
    expect(mayBeCrossOrigin({ "user-agent": "curl/8" })).toBe(false);
    expect(mayBeCrossOrigin({})).toBe(false);
  });
});
