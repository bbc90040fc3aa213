import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { fixedMasterInfo, ipNumber, ipText, readMasterInfo } from "./master-info.ts";
import { leaderOf, parseMember } from "./members.ts";

describe("leaderOf", () => {
  it("takes the lowest sequence, whatever its label, and ignores what is no member", () => {
    const children = ["log_replicas", "json.info_0000000012", "info_0000000009", "0000000010", "x_", "json.info_abc"];
    expect(leaderOf(children)).toEqual({ name: "info_0000000009", label: "info", sequence: 9n });
    expect(leaderOf(["log_replicas"])).toBeUndefined();
  });

  it("reads names as Mesos splits them", () => {
    expect(parseMember("0000000003")).toMatchObject({ label: undefined, sequence: 3n });
    expect(parseMember("a_b_0000000003")).toMatchObject({ label: "a", sequence: 3n });
  });
});

describe("readMasterInfo", () => {
  const member = (label: string | undefined) => ({ name: "n", label, sequence: 1n });

  it("reads JSON, protobuf and the bare address", () => {
    const json = Buffer.from(
      '{"address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"NEW"}],' +
        '"hostname":"m1","id":"x","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0","new":1}',
    );
    expect(readMasterInfo(member("json.info"), json)).toMatchObject({ pid: "master@10.0.0.1:5050", version: "1.11.0" });
    const info = create(MasterInfoSchema, { id: "x", ip: 16777226, port: 5051 });
    const bytes = Buffer.from(toBinary(MasterInfoSchema, info));
    expect(readMasterInfo(member("info"), bytes)).toMatchObject({ pid: "master@10.0.0.1:5051" });
    expect(readMasterInfo(member(undefined), Buffer.from("master@10.0.0.1:5050\n"))).toMatchObject({
      pid: "master@10.0.0.1:5050",
      ip: 16777226,
    });
  });

  it.each<[string | undefined, string, string]>([
    ["json.info", "{", "JSON"],
    ["json.info", "{}", "required"],
    ["info", "\xff\xff", "MasterInfo"],
    [undefined, "nonsense", "not the address"],
    [undefined, "m@999.1.1.1:5", "not the address"],
    ["other", "", "label 'other'"],
  ])("says what is wrong with %s %j", (label, content, why) => {
    expect(() => readMasterInfo(member(label), Buffer.from(content, "latin1"))).toThrow(why);
  });
});

describe("ip numbers", () => {
  it("are network order read as little-endian", () => {
    expect(ipNumber("10.0.0.1")).toBe(16777226);
    expect(ipText(ipNumber("192.168.1.250"))).toBe("192.168.1.250");
    expect(fixedMasterInfo("master", "h", "10.0.0.1", 5050)).toMatchObject({
      pid: "master@10.0.0.1:5050",
      version: "",
    });
  });
});
