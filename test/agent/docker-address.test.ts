import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ContainerizerContext } from "../../src/agent/containerizer/context.ts";
import { openDocker } from "../../src/agent/containerizer/docker/open.ts";
import { loadAgentFlags } from "../../src/agent/settings/load.ts";
import { silentLogger } from "../../src/base/log.ts";
import { ContainerInfo_Type, ContainerInfoSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { containerSpec } from "../support/container-spec.ts";
import { TestClock } from "../support/test-clock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-open-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a launch is told when nobody listens where these settings say. */
async function failureWith(environment: Record<string, string>, ...words: string[]): Promise<unknown> {
  const all = ["--master=a:1", `--work_dir=${folder}`, ...words];
  const loaded = loadAgentFlags({ words: all, environment: {}, readFile: () => "" });
  if (!("flags" in loaded)) throw new Error("these flags are not an agent's");
  const { containerizer } = await openDocker({
    ...{ flags: loaded.flags.values, environment, clock: new TestClock(), log: silentLogger },
    ...{ identity: { id: "S1" }, isRoot: false, ownContainerId: undefined },
  } as unknown as ContainerizerContext);
  const container = create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER, docker: { image: "busybox" } });
  const spec = containerSpec(folder, "c1", { value: "true" }, { container });
  try {
    return await containerizer.launch(spec, new AbortController().signal).catch(String);
  } finally {
    await containerizer.close();
  }
}

test("Docker is where --docker_socket says, or else where the docker command's variables say", async () => {
  const [own, other] = [join(folder, "own.sock"), join(folder, "other.sock")];
  const variables = { DOCKER_HOST: `unix://${other}` };
  expect(await failureWith(variables)).toContain(`the Docker daemon at unix://${other}`);
  expect(await failureWith(variables, `--docker_socket=${own}`)).toContain(`the Docker daemon at unix://${own}`);
  // The port of TLS, where nobody listens.
  const tls = { DOCKER_HOST: "tcp://127.0.0.9", DOCKER_TLS: "1" };
  expect(await failureWith(tls)).toContain("the Docker daemon at tcp://127.0.0.9:2376");
});
