import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { RESOURCES, runOnOurs } from "./cluster.ts";
import { differences, type Run } from "./runner.ts";
import { dockerTable } from "./table.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

describe("an odd but legal Docker task on the real agent", () => {
  let dockerd: TestDockerd | undefined;
  let run: Run;

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    run = await runOnOurs(dockerTable, [
      ...[RESOURCES, "--no-switch_user", "--containerizers=docker,mesos", `--docker_socket=${dockerd.socket}`],
      ...["--docker_remove_delay=1secs", "--isolation=posix/cpu,posix/mem"],
    ]);
  }, 600_000);
  afterAll(() => dockerd?.stop());
  beforeEach((context) => {
    if (missing !== undefined) context.skip(missing);
  });

  it.each(dockerTable.map((one) => [one.name, one] as const))("%s", (_name, one) => {
    expect(differences(one, run)).toEqual([]);
  });
});
