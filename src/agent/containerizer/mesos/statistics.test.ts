import { expect, it } from "vitest";
import { parseResources } from "../../../mesos/resources-text.ts";
import { statisticsOf } from "./statistics.ts";

const usage = { processes: 3, threads: 7, userSeconds: 1.5, systemSeconds: 0.5, residentBytes: 4096 };
const resources = parseResources("cpus:2;mem:64").toMessages();

it("reports the tree's figures and what was granted", () => {
  expect(statisticsOf(usage, resources, 5_000)).toMatchObject({
    timestamp: 5,
    processes: 3,
    threads: 7,
    cpusUserTimeSecs: 1.5,
    cpusLimit: 2,
    memLimitBytes: 64n * 1024n ** 2n,
  });
});

it("leaves numbers of processes and threads out when nobody asked for them", () => {
  const statistics = statisticsOf(usage, resources, 5_000, false);
  expect(Object.hasOwn(statistics, "processes") || Object.hasOwn(statistics, "threads")).toBe(false);
  expect(statistics.memRssBytes).toBe(4096n);
});
