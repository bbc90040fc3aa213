import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { UserError } from "../base/errors.ts";
import { attributesSummary, parseAttributes } from "./attributes.ts";
import { has } from "./codec.ts";
import { ResourceSchema, Value_Type } from "./gen/mesos/v1/mesos_pb.ts";
import { Resources } from "./resources.ts";
import { formatResources, parseResourceList, parseResources, resourcesSummary } from "./resources-text.ts";

describe("--resources", () => {
  it.each([
    ["cpus:4;mem:1024", "cpus:4; mem:1024", "cpus(*):4; mem(*):1024"],
    [" cpus : 0.5 ; ", "cpus:0.5", "cpus(*):0.5"],
    [
      "ports:[31000-31500, 31501-32000,8080-8080]",
      "ports:[8080-8080, 31000-32000]",
      "ports(*):[8080-8080, 31000-32000]",
    ],
    ["disks:{sda, sdb}", "disks:{sda, sdb}", "disks(*):{sda, sdb}"],
    ["cpus(web):2;cpus:1;cpus(web):1", "cpus(reservations: [(STATIC,web)]):3; cpus:1", "cpus(web):3; cpus(*):1"],
    ["cpus:0;mem:1", "mem:1", "mem(*):1"],
    [
      '[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"role":"r"}]',
      "cpus(reservations: [(STATIC,r)]):2",
      "cpus(r):2",
    ],
    ["", "", ""],
  ])("reads %j", (text, modern, old) => {
    const resources = parseResources(text);
    expect(formatResources(resources)).toBe(modern);
    expect(formatResources(resources, "0.24")).toBe(old);
  });

  it("puts what names no role into the default role", () => {
    expect(formatResources(parseResources("cpus:1;mem(*):2", "web"), "0.24")).toBe("cpus(web):1; mem(*):2");
    const json = '[{"name":"cpus","type":"SCALAR","scalar":{"value":2}}]';
    expect(formatResources(parseResources(json, "web"), "0.24")).toBe("cpus(web):2");
  });

  it("tells that a zero was given", () => {
    expect(parseResourceList("gpus:0").map(({ name }) => name)).toEqual(["gpus"]);
  });

  it.each([
    ["cpus", "missing or extra ':'"],
    ["cpus:1:2", "missing or extra ':'"],
    ["cpus:", "missing or extra ':'"],
    ["cpus:four", "not a number, ranges or set"],
    ["cpus:-1", "negative"],
    ["cpus(a:1", "not name or name(role)"],
    ["cpus(a b):1", "white space"],
    ["ports:[1-2", "brackets"],
    ["ports:[1]", "begin and an end"],
    ["ports:[9-2]", "ends before it begins"],
    ["ports:[a-b]", "not a whole number"],
    ["cpus:1;cpus:[1-2]", "different types"],
    ["[{]", "not JSON"],
    ['[{"name":"cpus"}]', "type"],
    ['[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}}]', "revocable"],
    ['[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"r","reservation":{}}]', "dynamically"],
    ['[{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"RAW"}}}]', "resource providers"],
  ])("refuses %j", (text, problem) => {
    expect(() => parseResources(text)).toThrow(UserError);
    expect(() => parseResources(text)).toThrow(problem);
  });
});

describe("the flat object of /state", () => {
  it("sums over roles and always has the usual ones", () => {
    const revocable = create(ResourceSchema, {
      name: "cpus",
      type: Value_Type.SCALAR,
      scalar: { value: 1 },
      revocable: {},
    });
    const resources = parseResources("cpus:1;cpus(r):0.5;ports:[1-2]").add(Resources.of([revocable]));
    expect(resourcesSummary(resources)).toEqual({
      cpus: 1.5,
      gpus: 0,
      mem: 0,
      disk: 0,
      ports: "[1-2]",
      cpus_revocable: 1,
    });
  });
});

describe("--attributes", () => {
  it("splits at the first ':' and recognises numbers", () => {
    expect(attributesSummary(parseAttributes("rack:abc;level:10;where:a:b;range:[1-2, 3-4]"))).toEqual({
      rack: "abc",
      level: 10,
      where: "a:b",
      range: "[1-4]",
    });
    expect(has(parseAttributes("a:1")[0] ?? expect.fail("no attribute"), "scalar")).toBe(true);
  });

  it.each(["rack", ":x", "rack:", "rack:{a,b}", "rack:[1-2", "rack:1e400"])("refuses %j", (text) => {
    expect(() => parseAttributes(text)).toThrow(UserError);
  });
});
