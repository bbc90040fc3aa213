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
    isExecutable: (path) => path === "/usr/local/bin/mesos-slave" || path === "/opt/scripts/redpill.sh",
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

test("a command whose program is not there is named, with what may be meant", () => {
  const { missing } = plan({ PATH: "/bin:/usr/local/bin", SERVICE_MESOS_CMD: "mesos-slvae --foo" });
  expect(missing).toEqual([
    "the command of mesos names mesos-slvae, which is not in PATH: did you mean mesos-slave?",
    "the command of logstash-forwarder names /opt/logstash-forwarder/logstash-forwarder, which is not an executable file",
  ]);
  const quiet = { PATH: "/usr/local/bin", SERVICE_LOGSTASH_FORWARDER: "disabled" };
  expect(plan(quiet).missing).toEqual([]);
  expect(plan({ ...quiet, SERVICE_MESOS_CMD: "%(ENV_AGENT)s", AGENT: "/no" }).missing).toEqual([]);
});

test("a shell's variable in a command is named: no shell reads it", () => {
  // As the old documentation gives the default.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's, not ours
  const old = '/opt/logstash-forwarder/logstash-fowarder -cofig="${SERVICE_LOGSTASH_FOWARDER_CONF}"';
  expect(plan({ SERVICE_LOGSTASH_FORWARDER_CMD: old }).warnings.join()).toMatch(
    /the command of logstash-forwarder has \$\{\w+\}, which no shell expands: write %\(ENV_SERVICE_LOGSTASH_FORWARDER_CONF\)s/,
  );
  const shell = { SERVICE_LOGSTASH_FORWARDER_CMD: "/bin/bash -c 'exec tail -F $FILE'" };
  expect(plan(shell).warnings.join()).not.toContain("no shell");
});
