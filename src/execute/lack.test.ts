import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Offer, OfferSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../mesos/resources-text.ts";
import { explainLack } from "./lack.ts";

const offer = (hostname: string, resources: string): Offer =>
  create(OfferSchema, {
    id: { value: "o" },
    frameworkId: { value: "f" },
    agentId: { value: "a" },
    hostname,
    resources: parseResources(resources).toMessages("pre"),
  });
const lack = (needed: string, ...offers: Offer[]): string | undefined => explainLack(offers, parseResources(needed));

test("what the nearest offer lacks", () => {
  const offers = [offer("small", "cpus:1;mem:10"), offer("big", "cpus:8;mem:1000"), offer("none", "disk:1")];
  expect(lack("cpus:100;mem:100", ...offers)).toBe(
    "No offer fits: the best, of big, has cpus:8; mem:1000 and lacks cpus:92",
  );
  expect(lack("cpus:8.5;mem:2000", ...offers)).toContain("lacks cpus:0.5, mem:1000");
});

test("a slip of a name", () => {
  expect(lack("cpu:1", offer("h", "cpus:1"))).toContain("lacks cpu:1; no offer has 'cpu': did you mean cpus?");
  expect(lack("bananas:1", offer("h", "cpus:1"))).not.toContain("did you mean");
  expect(lack("banana:1", offer("h", "bananas:0.5"))).toContain("did you mean bananas?");
});

test("ranges", () => {
  expect(lack("ports:[1-4]", offer("h", "ports:[3-10]"))).toContain("lacks ports:[1-2]");
  expect(lack("ports:[1-4]", offer("h", "cpus:1"))).toContain("lacks ports:[1-4]");
});

test("nothing to say where one fits, or none is there", () => {
  expect(lack("cpus:1", offer("h", "cpus:0.5"), offer("i", "cpus(web):0.5;cpus:0.5"))).toBeUndefined();
  expect(lack("cpus:1")).toBeUndefined();
});
