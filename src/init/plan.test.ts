import { describe, expect, test } from "vitest";
import type { MachineFacts } from "./machine.ts";
import { pathsBelow } from "./paths.ts";
import { type Machine, type Plan, planOf } from "./plan.ts";
import { resolve } from "./resolve.ts";
import { PROFILES, type Profile, variables } from "./variables.ts";

/** A machine where everything is as it should be. */
const well: MachineFacts = {
  uid: 0,
  isContainer: true,
  kindOf: () => "file",
  mountOf: (path) => ({ point: path, readOnly: false }),
  dockerSocket: { path: "/var/run/docker.sock", state: "answers" },
  memoryLimit: undefined,
  processLimit: undefined,
};

const plan = (environment: Record<string, string>, machine: Partial<Machine> = {}) => {
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
    programFiles: [],
    facts: well,
    isDocumented: (name) => name === "MESOS_IP",
    ...machine,
  });
};

const textOf = ({ files }: Plan, name: string): string =>
  files.find(({ path }) => path.endsWith(`/conf.d/${name}.conf`))?.text ?? "";
const commandOf = (made: Plan, name: string): string => /^command=(.*)$/m.exec(textOf(made, name))?.[1] ?? "";

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
  const { missing } = plan({
    PATH: "/bin:/usr/local/bin",
    MESOS_MASTER: "h:1",
    SERVICE_MESOS_CMD: "mesos-slvae --foo",
  });
  expect(missing).toEqual([
    "the command of mesos names mesos-slvae, which is not in PATH: did you mean mesos-slave?",
    "the command of logstash-forwarder names /opt/logstash-forwarder/logstash-forwarder, which is not an executable file",
  ]);
  const quiet = { PATH: "/usr/local/bin", MESOS_MASTER: "h:1", SERVICE_LOGSTASH_FORWARDER: "disabled" };
  expect(plan(quiet).missing).toEqual([]);
  expect(plan({ ...quiet, SERVICE_MESOS_CMD: "%(ENV_AGENT)s", AGENT: "/no" }).missing).toEqual([]);
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: a shell's, not ours
const RENDERED = "/run/logstash-forwarder/mesos-slave.conf";

describe("a default that is typed by hand behaves as the default", () => {
  /** As the documentation writes it: plain, or the code at the beginning of what is computed. */
  const documented = (profile: Profile) =>
    variables.flatMap(({ name, default: fixed, profile: by, computed }) => {
      const text = by?.[profile] ?? fixed ?? /^`(\/[^`]*)`/.exec(computed ?? "")?.[1];
      return text === undefined || name === "ENVIRONMENT" ? [] : [[profile, name, text] as const];
    });

  test.for(PROFILES.flatMap(documented))("%s: %s=%s", ([profile, name, text]) => {
    const rest = { ENVIRONMENT: profile, MESOS_MASTER: "h:1", PATH: "/usr/local/bin:/usr/bin:/bin" };
    const [typed, left] = [plan({ ...rest, [name]: text }), plan(rest)];
    expect(typed.warnings).toEqual(left.warnings);
    expect(typed.missing).toEqual(left.missing);
    expect(typed.errors).toEqual([]);
    // Quoting may differ; what is run does not. A variable with the command itself is there or not.
    const words = ({ files }: Plan) => files.map((file) => ({ ...file, text: file.text.replaceAll(/["']/g, "") }));
    expect(words(typed)).toEqual(words(left));
    const others = ({ environment }: Plan) =>
      [...environment].filter(([key]) => key !== name || !name.endsWith("_CMD")).sort();
    expect(others(typed)).toEqual(others(left));
  });

  test("the old documentation's, misspelt as it stands there", () => {
    const old = '/opt/logstash-forwarder/logstash-fowarder -cofig="${SERVICE_LOGSTASH_FOWARDER_CONF}"';
    const made = plan({ SERVICE_LOGSTASH_FORWARDER_CMD: old, MESOS_MASTER: "h:1" });
    expect(commandOf(made, "logstash-forwarder")).toBe(
      `/opt/logstash-forwarder/logstash-fowarder -cofig="${RENDERED}"`,
    );
    expect(made.warnings.join()).not.toContain("no shell");
  });
});

describe("an own command of the forwarder reads the rendered configuration", () => {
  const command = (text: string, more: Record<string, string> = {}) =>
    commandOf(plan({ SERVICE_LOGSTASH_FORWARDER_CMD: text, MESOS_MASTER: "h:1", ...more }), "logstash-forwarder");

  test.for([
    ['lf -config="$SERVICE_LOGSTASH_FORWARDER_CONF"', `lf -config="${RENDERED}"`],
    ["lf -config ${SERVICE_LOGSTASH_FORWARDER_CONF} -quiet", `lf -config ${RENDERED} -quiet`],
    ["lf --config=/opt/logstash-forwarder/mesos-slave.conf", `lf --config=${RENDERED}`],
    ["lf -config '/opt/logstash-forwarder/mesos-slave.conf'", `lf -config '${RENDERED}'`],
    ["/bin/bash -c 'lf -config /opt/logstash-forwarder/mesos-slave.conf'", `/bin/bash -c 'lf -config ${RENDERED}'`],
    [
      '/bin/bash -c "lf -config $SERVICE_LOGSTASH_FORWARDER_CONF"',
      '/bin/bash -c "lf -config $SERVICE_LOGSTASH_FORWARDER_CONF"',
    ],
    ["lf -config %(ENV_SERVICE_LOGSTASH_FOWARDER_CONF)s", "lf -config %(ENV_SERVICE_LOGSTASH_FORWARDER_CONF)s"],
  ] as const)("%s", ([given, expected]) => {
    expect(command(given)).toBe(expected);
  });

  test("a file of another name, and a folder", () => {
    const own = { SERVICE_LOGSTASH_FORWARDER_CONF: "/etc/own.conf" };
    expect(command("lf -config=/etc/own.conf", own)).toBe("lf -config=/run/logstash-forwarder/own.conf");
    const folder = plan(
      {
        SERVICE_LOGSTASH_FORWARDER_CMD: "lf -config /etc/own.d/",
        SERVICE_LOGSTASH_FORWARDER_CONF: "/etc/own.d",
        MESOS_MASTER: "h:1",
      },
      { readConfiguration: (path) => [{ path: `${path}/a.conf`, text: "{}" }] },
    );
    expect(commandOf(folder, "logstash-forwarder")).toBe("lf -config /run/logstash-forwarder/conf.d");
  });

  test("of a folder's files, empty ones are no fault, and what an earlier start left there goes first", () => {
    const folder = plan(
      { SERVICE_LOGSTASH_FORWARDER_CONF: "/etc/own.d", MESOS_MASTER: "h:1" },
      {
        readConfiguration: (path) => [
          { path: `${path}/a.conf`, text: "\n" },
          { path: `${path}/b.conf`, text: "{}" },
        ],
      },
    );
    expect(folder.missing.join()).not.toContain("as it is");
    expect(folder.files.map(({ path }) => path)).toContain("/run/logstash-forwarder/conf.d/b.conf");
    expect(folder.removed).toContain("/run/logstash-forwarder/conf.d");
  });

  test("the variable leads there for every service, scripts of one's own included", () => {
    expect(plan({}).environment.get("SERVICE_LOGSTASH_FORWARDER_CONF")).toBe(RENDERED);
    expect(plan({ SERVICE_LOGSTASH_FORWARDER: "disabled" }).environment.get("SERVICE_LOGSTASH_FORWARDER_CONF")).toBe(
      "/opt/logstash-forwarder/mesos-slave.conf",
    );
  });

  test("another file is read as it is, and what it goes without is said", () => {
    const { warnings } = plan({ SERVICE_LOGSTASH_FORWARDER_CMD: "lf -config /etc/other.conf" });
    expect(warnings.join()).toMatch(/reads \/etc\/other.conf, which goes without SERVICE_LOGSTASH_FORWARDER_ADDRESS/);
    expect(plan({ SERVICE_LOGSTASH_FORWARDER_CMD: "tail -F /etc/other.conf" }).warnings.join()).not.toContain(
      "goes without",
    );
  });
});

test("a variable that is not documented stays, and is said; one without a value, too", () => {
  const said = (text: string) => plan({ SERVICE_MESOS_CMD: text, MESOS_MASTER: "h:1" });
  expect(said("mesos-slave --x=$OTHER").warnings.join()).toContain("write %(ENV_OTHER)s");
  expect(commandOf(said("mesos-slave --x=$OTHER"), "mesos")).toBe("mesos-slave --x=$OTHER");
  expect(said("mesos-slave --ip=${MESOS_IP}").warnings.join()).toContain("MESOS_IP is not set");
  expect(commandOf(said("mesos-slave --ip=${MESOS_IP}"), "mesos")).toBe("mesos-slave --ip=");
  expect(said("mesos-slave --hostname=$(hostname)").warnings.join()).toContain("$(hostname)");
  expect(said("mesos-slave --x='$APP_NAME' \\$APP_NAME").warnings.join()).not.toContain("$APP_NAME");
});

test("a value is put in as one word, whatever it holds; a secret is not written down", () => {
  const value = `a "b" 'c' 100% \\ ; #`;
  const made = plan({ SERVICE_MESOS_CMD: 'mesos-slave "$APP_NAME" $APP_NAME', APP_NAME: value, MESOS_MASTER: "h:1" });
  const text = commandOf(made, "mesos").replaceAll(
    /%\(ENV_(INIT_\w+)\)s/g,
    (_, name: string) => made.environment.get(name) ?? "",
  );
  expect(text).toBe(`mesos-slave "a \\"b\\" 'c' 100%% \\\\ ; #" 'a "b" '"'"'c'"'"' 100%% \\ ; #'`);
  const secret = plan({ SERVICE_MESOS_CMD: "mesos-slave --master=$MESOS_MASTER", MESOS_MASTER: "zk://u:Sesame@h/m" });
  expect(commandOf(secret, "mesos")).toBe("mesos-slave --master=%(ENV_MESOS_MASTER)s");
  expect(secret.warnings.join()).toContain("list of processes");
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: a shell's, not ours

describe("files of the user's own below conf.d", () => {
  const with_ = (name: string, text: string, environment: Record<string, string> = {}) =>
    plan(
      {
        MESOS_MASTER: "h:1",
        MESOS_WORK_DIR: "/data",
        PATH: "/usr/local/bin:/usr/bin:/bin",
        SERVICE_LOGSTASH_FORWARDER: "disabled",
        ...environment,
      },
      { programFiles: [{ path: `/etc/supervisor/conf.d/${name}`, text }] },
    );

  test.for([
    ["mesos.conf", "[program:mesos]\ncommand=x\n"],
    ["own.conf", "[program:other]\ncommand=y\n[program:mesos]\ncommand=x\n"],
    ["mesos.conf", "; empty on purpose\n"],
  ] as const)("%s with %j stands instead of ours, and that is said", ([name, text]) => {
    const made = with_(name, text);
    expect(textOf(made, "mesos")).toBe("");
    expect(made.removed.join()).not.toContain("mesos.");
    expect(made.warnings.join()).toContain(`/etc/supervisor/conf.d/${name} is used as it is`);
  });

  test("one that init wrote at an earlier start is written again", () => {
    const made = with_("mesos.conf", "; Written by init at every start.\n[program:mesos]\ncommand=old\n");
    expect(commandOf(made, "mesos")).toBe("mesos-slave");
    expect(made.warnings).toEqual([]);
  });

  test("a service of one's own that may take long to stop is said to break Docker's 10 s", () => {
    expect(with_("own.conf", "[program:own]\ncommand=x\n").warnings.join()).toMatch(
      /a stop may take 16 s.*own \(10 s\)/,
    );
    expect(with_("own.conf", "[program:own]\ncommand=x\nstopwaitsecs=1\n").warnings).toEqual([]);
  });

  test("the watchdog may watch it by its name or its group", () => {
    const text = "[group:g]\nprograms=a,b\n[program:a]\nstopwaitsecs=0\n[program:b]\nstopwaitsecs=0\n";
    expect(with_("own.conf", text, { SERVICE_REDPILL_MONITOR: "mesos, a, g:b, g:*" }).missing).toEqual([
      // The machine of these tests has no forwarder's program; nothing else is wrong.
    ]);
    expect(with_("own.conf", text, { SERVICE_REDPILL_MONITOR: "messo" }).missing.join()).toContain(
      "did you mean mesos?",
    );
    expect(with_("own.conf", text, { SERVICE_REDPILL_MONITOR: "h:*" }).missing.join()).toContain("names h:*");
  });
});

test("a PATH that forgets the programs gets them back for the services", () => {
  const made = plan({ PATH: "/opt/tool/bin", MESOS_MASTER: "h:1", SERVICE_LOGSTASH_FORWARDER: "disabled" });
  expect(made.environment.get("PATH")).toBe("/opt/tool/bin:/usr/local/bin:/usr/bin:/bin");
  expect(made.missing).toEqual([]);
  expect(made.warnings.join()).toContain("PATH=/opt/tool/bin");
});

test.for([
  ["mesos-slave", {}, "127.0.0.1\n5051\n"],
  ["mesos-slave --port=5052", { MESOS_PORT: "5053" }, "127.0.0.1\n5052\n"],
  ["mesos-slave", { MESOS_PORT: "5053", MESOS_IP: "10.0.0.1" }, "10.0.0.1\n5053\n"],
  ["bash -c 'exec mesos-slave --ip=10.0.0.2 --port=5054'", {}, "10.0.0.2\n5054\n"],
  ["env MESOS_PORT=5055 mesos-slave", {}, "127.0.0.1\n5055\n"],
  ["mesos-slave --ip=0.0.0.0", {}, "127.0.0.1\n5051\n"],
] as const)("%s with %j: the health check asks where it listens", ([command, environment, expected]) => {
  const { files } = plan({ SERVICE_MESOS_CMD: command, ...environment });
  expect(files.find(({ path }) => path === "/run/health")?.text).toBe(`${expected}30\nhttp\n`);
});
