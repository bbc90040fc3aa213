import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Peer } from "../../libprocess/connection.ts";
import { formatUPID, parseUPID } from "../../libprocess/upid.ts";
import * as messages from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { certificateProblem, messageTable, type Parties, receptionsOf, type Sender } from "./senders.ts";

const master = parseUPID("master@10.0.0.1:5050");
const driver = "scheduler-1@10.0.0.2:7";
const executor = "executor(1)@10.0.0.3:8";
const peer: Peer = { address: "10.0.0.9", certificate: undefined };

const parties: Parties = {
  master: () => master,
  masterConnectionProblem: () => undefined,
  isScheduler: (from) => formatUPID(from) === driver,
  isExecutor: (from) => formatUPID(from) === executor,
};

const senders = {
  master: "master@10.0.0.1:5050",
  observer: "slave-observer(7)@10.0.0.1:5050",
  otherMaster: "master@10.0.0.4:5050",
  otherPort: "master@10.0.0.1:5051",
  driver,
  executor,
  nobody: undefined,
};

/** Who of these is heard. */
const HEARD: Readonly<Record<Sender, readonly (keyof typeof senders)[]>> = {
  master: ["master"],
  "beside the master": ["master", "observer"],
  scheduler: ["master", "driver"],
  executor: ["executor"],
  anybody: Object.keys(senders) as (keyof typeof senders)[],
};

describe("who may send what", () => {
  it.each(messageTable.map((row) => [row.name, row.from] as const))("%s: %s", (name, sender) => {
    const reception = receptionsOf(parties)(name);
    const heard = Object.entries(senders)
      .filter(([, text]) => reception?.objection?.(parseUPID(text), peer) === undefined)
      .map(([who]) => who);
    expect(heard).toEqual(HEARD[sender]);
  });

  it("a certificate is the master's when it is for one of its names", () => {
    const certificate = {
      subject: "CN=m1.example",
      subjectAltName: "DNS:m1.example, IP Address:10.0.0.1",
      checkIP: (ip: string) => (ip === "10.0.0.1" ? ip : undefined),
      checkHost: (name: string) => (name === "m1.example" ? name : undefined),
    } as unknown as NonNullable<Peer["certificate"]>;
    expect(certificateProblem({ address: "", certificate }, ["10.0.0.1"])).toBeUndefined();
    expect(certificateProblem({ address: "", certificate }, ["10.0.0.2", "m1.example"])).toBeUndefined();
    expect(certificateProblem({ address: "", certificate }, [undefined, "", "10.0.0.2"])).toContain("m1.example");
    expect(certificateProblem(peer, ["10.0.0.1"])).toBe("its connection shows no certificate");
  });

  it("nobody is the master while none is known", () => {
    const receptions = receptionsOf({ ...parties, master: () => undefined });
    for (const { name, from } of messageTable.filter(({ from }) => from !== "anybody"))
      expect(`${from} ${receptions(name)?.objection?.(undefined, peer)}`).toMatch(/not|no /);
  });

  it("what the master sends is taken only by a connection that is good enough for it", () => {
    const receptions = receptionsOf({ ...parties, masterConnectionProblem: () => "it shows no certificate" });
    for (const { name, from } of messageTable.filter(({ from }) => from !== "anybody" && from !== "executor"))
      expect(`${from}: ${receptions(name)?.objection?.(master, peer)}`).toContain("it shows no certificate");
  });

  it("only what cannot be told from a real one is taken from anybody, and it is small", () => {
    const open = messageTable.filter(({ from }) => from === "anybody");
    expect(open.map(({ name }) => name.replace(/^.*\./, "")).sort()).toEqual([
      "PING",
      "PingSlaveMessage",
      "RegisterExecutorMessage",
      "StatusUpdateAcknowledgementMessage",
    ]);
    for (const { limit } of open) expect(limit).toBeLessThanOrEqual(16 * 1024);
  });

  it("every message that the agent installs a handler for is in the table, and nothing else", () => {
    const installed = new Set<string>();
    const folder = resolve(import.meta.dirname, "..");
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      const text = readFileSync(join(folder, name), "utf8");
      for (const [, schema] of text.matchAll(/(?:\.install|fromMaster)\(\s*(\w+Schema)\b/g)) {
        const found = (messages as unknown as Record<string, { typeName: string } | undefined>)[schema ?? ""];
        if (found !== undefined) installed.add(found.typeName);
      }
      for (const [, word] of text.matchAll(/process\.on\("([A-Z]+)"/g)) installed.add(word ?? "");
    }
    expect([...installed].sort()).toEqual(messageTable.map(({ name }) => name).sort());
  });
});
