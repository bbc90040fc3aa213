import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { type MasterInfo, MasterInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { MasterChannel } from "../model/master-channel.ts";
import { LeadingMaster } from "./leading-master.ts";

const masterOf = (version: string): MasterInfo => create(MasterInfoSchema, { id: "m", ip: 0, port: 5050, version });

/** A leading master whose answers the test gives. */
function asked() {
  const answers: ((version: string | undefined) => void)[] = [];
  const channel = new MasterChannel({} as Process, silentLogger);
  const master = new LeadingMaster({
    log: silentLogger,
    master: channel,
    ask: () => new Promise((answer) => answers.push(answer)),
  });
  return { master, channel, answers };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the leading master", () => {
  it("is believed when its detector tells the version", () => {
    const { master, channel, answers } = asked();
    master.detected(masterOf("1.4.0"));
    master.lost();
    master.reached();
    expect([channel.info?.version, answers.length]).toEqual(["1.4.0", 0]);
  });

  it("is asked where its detector tells none, and again when another one may answer there", async () => {
    const { master, channel, answers } = asked();
    master.detected(masterOf(""));
    answers[0]?.(undefined);
    await settled();
    master.reached();
    answers[1]?.("1.4.0");
    await settled();
    expect(channel.info?.version).toBe("1.4.0");
    master.lost();
    expect(channel.info?.version).toBe("");
    master.reached();
    answers[2]?.("1.11.0");
    await settled();
    expect(channel.info?.version).toBe("1.11.0");
  });

  it("does not take a late answer for the next leader", async () => {
    const { master, channel, answers } = asked();
    master.detected(masterOf(""));
    master.detected(masterOf(""));
    answers[0]?.("0.25.0");
    await settled();
    expect(channel.info?.version).toBe("");
    master.detected(undefined);
    answers[1]?.("1.0.0");
    await settled();
    expect(channel.info).toBeUndefined();
  });
});
