import { describe, expect, test } from "vitest";
import { type MachineFacts, type Mount, mountHolding, mountsOf, type SocketState } from "./machine.ts";
import { pathsBelow } from "./paths.ts";
import { planOf } from "./plan.ts";
import { resolve } from "./resolve.ts";

const well: MachineFacts = {
  uid: 0,
  isContainer: true,
  kindOf: () => "file",
  mountOf: (path) => ({ point: path, readOnly: false }),
  dockerSocket: { path: "/var/run/docker.sock", state: "answers" },
  memoryLimit: undefined,
  processLimit: undefined,
};

const GOOD = {
  ENVIRONMENT: "production",
  PATH: "/usr/local/bin:/usr/bin:/bin",
  MESOS_MASTER: "h:1",
  MESOS_WORK_DIR: "/data",
  SERVICE_LOGSTASH_FORWARDER_ADDRESS: "logstash.example:5043",
  SERVICE_LOGSTASH_FORWARDER_CERT: "/crt",
};

/** What is said about these settings on this machine: [what --check fails on, what is only said]. */
function said(
  environment: Record<string, string | undefined>,
  facts: Partial<MachineFacts> = {},
  configuration = '{"network": {"ssl ca": "/opt/x.crt"}}',
) {
  const resolution = resolve({
    environment: { ...GOOD, ...environment },
    root: "",
    readFile: String,
    localAddress: () => undefined,
    otherVariables: ["MESOS_PORT", "MESOS_IP", "MESOS_DOCKER_SOCKET"],
  });
  const plan = planOf(resolution, pathsBelow(""), {
    isRoot: true,
    userExists: () => true,
    isExecutable: () => true,
    readConfiguration: (path) => [{ path, text: configuration }],
    programFiles: [],
    facts: { ...well, ...facts },
    isDocumented: () => false,
  });
  return { missing: plan.missing, warnings: plan.warnings, environment: plan.environment };
}

test("where all is well nothing is said", () => {
  expect(said({})).toMatchObject({ missing: [], warnings: [] });
});

test.for(["MESOS_WORK_DIR", "SERVICE_REDPILL_CLEANUP", "MESOS_PORT"])("%s of blanks alone is said", (name) => {
  expect(said({ [name]: " \t" }).warnings).toContain(`${name} holds nothing but blanks: give it a value, or unset it`);
});

describe("a host name that cannot be one", () => {
  test.for([
    ['"node1"', "the quotes are part of it"],
    ["'node1'", "the quotes are part of it"],
    ["$(hostname)", "no shell expanded it"],
    ["$HOSTNAME", "no shell expanded it"],
    ["`hostname`", "no shell expanded it"],
    ["node 1", "other characters"],
    ["node1/", "other characters"],
    ["-node1", "other characters"],
    ["a".repeat(256), "other characters"],
  ] as const)("%s", ([name, why]) => {
    expect(said({ MESOS_HOSTNAME: name }).missing.join()).toContain(`MESOS_HOSTNAME=${name}`);
    expect(said({ MESOS_HOSTNAME: name }).missing.join()).toContain(why);
  });

  test.for(["node1", "node1.example.org", "node_1.example.org.", "10.0.0.1", "::1", "fe80::1"])("%s is one", (name) => {
    expect(said({ MESOS_HOSTNAME: name }).missing).toEqual([]);
  });
});

test.for([
  ["APP_NAME", '"shop"', "the quotes are part"],
  ["MESOS_WORK_DIR", "'/data'", "the quotes are part"],
  ["PARENT_HOST", "$(hostname)", "no shell expanded"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's
  ["PARENT_HOST", "${HOSTNAME}", "no shell expanded"],
  ["MESOS_IP", "`hostname -i`", "no shell expanded"],
  ["APP_NAME", "shop\r", "an env file from Windows"],
  ["MESOS_IP", " 10.0.0.1", "part of it"],
] as const)("%s=%s", ([name, value, why]) => {
  expect(said({ [name]: value }).warnings.join()).toMatch(new RegExp(`${name}=.*${why}`));
});

test("a command may have quotes and variables of a shell; a secret is not printed", () => {
  expect(said({ SERVICE_MESOS_CMD: "bash -c 'echo $(hostname)'" }).warnings).toEqual([]);
  const { warnings } = said({ MESOS_MASTER: '"zk://u:Sesame@h/m"' });
  expect(warnings.join()).toContain("the quotes are part");
  expect(warnings.join()).not.toContain("Sesame");
});

test("no master: --check fails, unless the command names it or is none of ours", () => {
  expect(said({ MESOS_MASTER: undefined }).missing.join()).toContain("MESOS_MASTER is not set");
  expect(said({ MESOS_MASTER: undefined, SERVICE_MESOS_CMD: "mesos-slave --master=h:1" }).missing).toEqual([]);
  expect(said({ MESOS_MASTER: undefined, SERVICE_MESOS_CMD: "sleep 600" }).missing).toEqual([]);
});

describe("addresses of Logstash", () => {
  test.for([
    ["logstash", "has no port"],
    ["a:1,logstash", "has no port"],
    ["[::1]", "has no port|no number"],
    ["logstash:lumberjack", "no number"],
    ["logstash:70000", "above 65535"],
    ["tcp://logstash:5043", "is a URL"],
    ["logstash:0", "has no port"],
  ] as const)("%s", ([address, why]) => {
    expect(said({ SERVICE_LOGSTASH_FORWARDER_ADDRESS: address }).missing.join()).toMatch(new RegExp(why));
  });

  test.for(["a:1", "a:1, b:2,", "[::1]:5043", "10.0.0.1:5043"])("%s is right", (address) => {
    expect(said({ SERVICE_LOGSTASH_FORWARDER_ADDRESS: address }).missing).toEqual([]);
  });

  test("nobody asks where nothing is shipped", () => {
    expect(said({ SERVICE_LOGSTASH_FORWARDER: "disabled", SERVICE_LOGSTASH_FORWARDER_ADDRESS: "x" }).missing).toEqual(
      [],
    );
  });
});

describe("files that settings name", () => {
  const FILES = [
    "SERVICE_LOGSTASH_FORWARDER_CERT",
    "SERVICE_REDPILL_CLEANUP",
    "MESOS_CREDENTIAL",
    "LIBPROCESS_SSL_KEY_FILE",
  ];

  test.for(FILES)("%s that is not there, or is the folder that Docker makes", (name) => {
    expect(said({ [name]: "/the/file" }, { kindOf: () => undefined }).missing.join()).toMatch(
      new RegExp(`${name}=/the/file: .* is not there: mount it: -v /the/file`),
    );
    expect(said({ [name]: "/the/file" }, { kindOf: () => "folder" }).missing.join()).toContain("is a folder");
  });

  test("the authority of the configuration itself", () => {
    const { missing } = said({ SERVICE_LOGSTASH_FORWARDER_CERT: undefined }, { kindOf: () => undefined });
    expect(missing.join()).toContain("the configuration's certificate /opt/x.crt is not there");
  });

  test("not those of a service that is off", () => {
    expect(
      said(
        { SERVICE_REDPILL: "disabled", SERVICE_REDPILL_CLEANUP: "/x" },
        { kindOf: (path) => (path === "/x" ? undefined : "file") },
      ).missing,
    ).toEqual([]);
  });
});

test.for(['{"network": {"ssl ca": "/opt/x.crt", "ssl_enabled": false}}', '{"network": {"ssl ca": "$CA"}}'])(
  "the certificate of %s is not looked for",
  (configuration) => {
    const nothing = { kindOf: (path: string) => (path === "/opt/x.crt" ? undefined : "file") } as const;
    expect(said({ SERVICE_LOGSTASH_FORWARDER_CERT: undefined }, nothing, configuration).missing).toEqual([]);
  },
);

test("a work_dir in the container's own layer", () => {
  const mountOf = (): Mount => ({ point: "/", readOnly: false });
  expect(said({}, { mountOf }).warnings.join()).toContain("MESOS_WORK_DIR=/data is not mounted");
  expect(said({}, { mountOf }).warnings.join()).toContain("-v /data:/data:rw");
  expect(said({}, { mountOf, isContainer: false }).warnings).toEqual([]);
});

test("a mount that is read-only", () => {
  expect(said({}, { mountOf: () => ({ point: "/data", readOnly: true }) }).missing.join()).toMatch(
    /MESOS_WORK_DIR=\/data lies on the mount \/data.*read-only: mount it writable/,
  );
});

test.for([
  ["folder", "is a folder, not Docker's socket"],
  ["absent", "there is no Docker socket"],
  ["refused", "restart the container"],
  ["denied", "run as root"],
  ["not a socket", "is no socket"],
] as const)("Docker's socket: %s", ([state, words]) => {
  const dockerSocket = { path: "/var/run/docker.sock", state: state as SocketState };
  expect(said({}, { dockerSocket }).warnings.join()).toContain(words);
  expect(said({ MESOS_CONTAINERIZERS: "mesos" }, { dockerSocket }).warnings).toEqual([]);
});

test("limits that the node itself does not fit into; a user that is not root", () => {
  expect(said({}, { memoryLimit: 64 * 2 ** 20 }).warnings.join()).toMatch(
    /memory limit of 64MB is too small.*--memory/,
  );
  expect(said({}, { processLimit: 50 }).warnings.join()).toMatch(/limit of 50 processes is too small.*--pids-limit/);
  expect(said({}, { uid: 1000 }).missing.join()).toMatch(/user 1000: .*leave --user out/);
});

test("outside a container no fix speaks of one", () => {
  const bad: Partial<MachineFacts> = {
    isContainer: false,
    uid: 1000,
    kindOf: () => undefined,
    mountOf: () => ({ point: "/", readOnly: true }),
    memoryLimit: 1,
    processLimit: 1,
  };
  for (const state of ["folder", "absent", "refused", "not a socket"] as const) {
    const { missing, warnings } = said({}, { ...bad, dockerSocket: { path: "/s", state } });
    expect([...missing, ...warnings].join("\n")).not.toMatch(/-v \/|--memory|--pids|container|--user|mount it:/);
  }
});

test("what a container link leaves is taken out and named", () => {
  const left = {
    MESOS_PORT: "tcp://172.17.0.2:5050",
    MESOS_PORT_5050_TCP: "tcp://172.17.0.2:5050",
    MESOS_NAME: "/node/mesos",
  };
  const { warnings, environment } = said(left);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^MESOS_PORT=tcp:.*--link x:master/);
  expect(environment.has("MESOS_PORT")).toBe(true);
  expect(environment.get("MESOS_PORT")).toBeUndefined();
});

test("mounts, as the kernel lists them", () => {
  const mounts = mountsOf(
    "22 1 0:20 / / rw,relatime - overlay overlay rw\n" +
      "23 22 8:1 / /data rw shared:1 - ext4 /dev/sda1 ro\n" +
      "24 22 8:1 / /with\\040blank ro - ext4 /dev/sda1 rw\n",
  );
  expect(mountHolding("/data/mesos", mounts)).toEqual({ point: "/data", readOnly: true });
  expect(mountHolding("/database", mounts)).toEqual({ point: "/", readOnly: false });
  expect(mountHolding("/with blank", mounts)).toEqual({ point: "/with blank", readOnly: true });
});
