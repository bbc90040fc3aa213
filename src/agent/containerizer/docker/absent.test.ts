import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { containerSpec } from "../../../../test/support/container-spec.ts";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import { HttpEngine } from "../../../docker/http-engine.ts";
import { ContainerInfo_Type, ContainerInfoSchema } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { DockerContainerizer } from "./containerizer.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-absent-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a daemon that was never there is not waited for: the launch fails at once and names Docker", async () => {
  const clock = new TestClock();
  const path = join(folder, "docker.sock");
  const containerizer = await DockerContainerizer.open({
    engine: new HttpEngine({ kind: "unix", path }, clock),
    workDir: folder,
    stateDirectory: join(folder, "docker"),
    agent: { id: "S1" },
    clock,
    log: silentLogger,
  });
  const container = create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER, docker: { image: "busybox" } });
  // The clock stands still: a wait would never end.
  await expect(
    containerizer.launch(containerSpec(folder, "c1", { value: "true" }, { container }), new AbortController().signal),
  ).rejects.toThrow(`cannot reach the Docker daemon at unix://${path}`);
  await containerizer.close();
});
