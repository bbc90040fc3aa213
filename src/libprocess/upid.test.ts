import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressOf, formatUPID, NO_PID, parseUPID, sameUPID } from "./upid.ts";

describe("parseUPID", () => {
  it("reads an id with parentheses", () => {
    expect(parseUPID("slave(1)@10.0.0.7:5051")).toEqual({ id: "slave(1)", ip: "10.0.0.7", port: 5051 });
  });

  it("splits at the first @, and takes host names", () => {
    expect(parseUPID("master@host.example:5050")).toEqual({ id: "master", ip: "host.example", port: 5050 });
    expect(parseUPID("a@b@1.2.3.4:1")).toBeUndefined();
  });

  it.each([
    undefined,
    "",
    NO_PID,
    "x",
    "@1.2.3.4:5",
    "a@:5",
    "a@1.2.3.4",
    "a@1.2.3.4:0",
    "a@1.2.3.4:65536",
    "a@1.2.3.4:5x",
  ])("takes %j for no pid", (text) => {
    expect(parseUPID(text)).toBeUndefined();
  });

  it("refuses ids that could break a request line", () => {
    expect(parseUPID("a b@1.2.3.4:5")).toBeUndefined();
    expect(parseUPID("a\r\nX: y@1.2.3.4:5")).toBeUndefined();
  });

  it("never throws, and what it reads is printed the same", () => {
    const near = fc.tuple(fc.string(), fc.string(), fc.integer()).map(([id, ip, port]) => `${id}@${ip}:${port}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const upid = parseUPID(text);
        if (upid !== undefined) expect(parseUPID(formatUPID(upid))).toEqual(upid);
      }),
    );
  });
});

describe("sameUPID", () => {
  const upid = { id: "master", ip: "10.0.0.1", port: 5050 };

  it("compares id, address and port", () => {
    expect(sameUPID(upid, { ...upid })).toBe(true);
    expect(sameUPID(upid, { ...upid, port: 5051 })).toBe(false);
    expect(sameUPID(undefined, undefined)).toBe(false);
    expect(addressOf(upid)).toBe("10.0.0.1:5050");
    expect(formatUPID(undefined)).toBe(NO_PID);
  });
});
