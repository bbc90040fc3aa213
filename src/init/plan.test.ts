import { expect, test } from "vitest";
import { pathsBelow } from "./paths.ts";
import { planOf } from "./plan.ts";
import { resolve } from "./resolve.ts";

const plan = (environment: Record<string, string>) => {
  const resolution = resolve({
    environment: { ENVIRONMENT: "production", ...environment },
    root: "",
    readFile: (path) => `content of ${path}\n`,
    localAddress: () => undefined,
  });
  return planOf(resolution, pathsBelow(""), {
    isRoot: true,
    userExists: () => true,
    readConfiguration: (path) => [{ path, text: "{}" }],
  });
};

test("a credential given as text is put into a file of root's, and the services hear its path", () => {
  const { files, environment, removed } = plan({
    MESOS_CREDENTIAL: "node secret",
    MESOS_HTTP_CREDENTIALS: "/etc/http",
  });
  const path = "/run/mesos-slave/mesos_credential";
  expect(files.find((file) => file.path === path)).toEqual({ path, text: "node secret\n", mode: 0o600 });
  expect(environment.get("MESOS_CREDENTIAL")).toBe(path);
  expect(environment.get("MESOS_HTTP_CREDENTIALS")).toBe("/etc/http");
  // What an earlier life of the container left.
  expect(removed).toContain("/run/mesos-slave/mesos_http_credentials");
});

test("secrets of the environment are emptied for the service that is not root", () => {
  const { files } = plan({ MESOS_MASTER: "zk://user:password@host/mesos", MESOS_DOCKER_CONFIG_FILE: "/docker.json" });
  const text = (name: string): string => files.find(({ path }) => path.endsWith(`/${name}.conf`))?.text ?? "";
  expect(text("logstash-forwarder")).toContain('\nenvironment=MESOS_MASTER="",MESOS_DOCKER_CONFIG=""\n');
  for (const name of ["mesos", "redpill"]) expect(text(name)).not.toContain("MESOS_");
  expect(files.map((file) => file.text).join("")).not.toMatch(/password|content of/);
});
