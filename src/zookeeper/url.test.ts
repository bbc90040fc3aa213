import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../base/errors.ts";
import { formatServers, maskZooKeeperUrl, parseZooKeeperUrl } from "./url.ts";

describe("parseZooKeeperUrl", () => {
  it("reads servers, path and credentials", () => {
    expect(parseZooKeeperUrl("zk://u:p@ss@h1:2181,10.0.0.2,[::1]:2183/a/b/")).toEqual({
      servers: [
        { host: "h1", port: 2181 },
        { host: "10.0.0.2", port: 2181 },
        { host: "::1", port: 2183 },
      ],
      path: "/a/b",
      credentials: "u:p@ss",
    });
  });

  it.each([
    ["zk://h:2181", "path"],
    ["zk://h:2181/", "path"],
    ["zk:///mesos", "host:port"],
    ["zk://::1:2181/mesos", "brackets"],
    ["zk://h:99999/mesos", "not a port"],
    ["zk://h:2181//x", "not a path"],
    ["zk://h:2181/a/../x", "not a path"],
    ["zk://user@h:2181/mesos", "user:password"],
    ["http://h", "not a ZooKeeper url"],
  ])("refuses %s", (text, why) => {
    expect(() => parseZooKeeperUrl(text)).toThrow(why);
  });

  it("never shows a password, whatever is wrong", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        try {
          parseZooKeeperUrl(`zk://user:s3cr3t-w0rd${before}@${after}`);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as UserError).text).not.toContain("s3cr3t-w0rd");
        }
      }),
    );
    expect(maskZooKeeperUrl("zk://user:secret@h:1/p")).toBe("zk://user:****@h:1/p");
    expect(maskZooKeeperUrl("zk://h:1/p")).toBe("zk://h:1/p");
  });

  it("writes servers as the client library reads them", () => {
    expect(formatServers(parseZooKeeperUrl("zk://a:1,[fe80::1]:2/p").servers)).toBe("a:1,[fe80::1]:2");
  });
});
