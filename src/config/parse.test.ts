import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flagsPage } from "./docs.ts";
import { flagsLine, shownFlags } from "./echo.ts";
import {
  defineFlags,
  flag,
  hideAll,
  hideJsonValues,
  hideUrlPassword,
  ignored,
  misspeltAs,
  refused,
  renamedFrom,
} from "./flag.ts";
import { helpFlags, usageText } from "./help.ts";
import * as kinds from "./kinds.ts";
import { type FlagInput, loadFlags } from "./parse.ts";
import { mesosGrammar, unixGrammar } from "./words.ts";

const table = defineFlags({
  ...helpFlags,
  master: flag(kinds.textOrFile, { summary: "Where the master is.", mask: hideUrlPassword }),
  port: flag(kinds.integer(0, 65535), { summary: "Port | to bind.", default: 5051 }),
  work_dir: flag(kinds.text, { summary: "Work.", default: "/tmp/mesos", aliases: misspeltAs("workdir") }),
  sandbox_directory: flag(kinds.text, {
    summary: "In the container.",
    default: "/mnt/mesos/sandbox",
    aliases: renamedFrom("docker_sandbox_directory"),
  }),
  switch_user: flag(kinds.boolean, { summary: "Users.", default: true }),
  executor_registration_timeout: flag(kinds.duration, {
    summary: "How long.",
    default: 60_000,
    aliases: misspeltAs("registration_timeout"),
  }),
  fetcher_cache_size: flag(kinds.bytes, { summary: "Cache.", default: 2 * 1024 ** 3 }),
  modules: flag(kinds.json(kinds.anyObject), { summary: "Modules.", status: refused("no C++ libraries here") }),
  eth0_name: flag(kinds.text, { summary: "Interface.", status: ignored("port mapping does not exist") }),
  strict: flag(kinds.boolean, { summary: "Strict.", default: true, status: refused("always strict") }),
  docker_config: flag(kinds.json(kinds.anyObject), { summary: "Secrets.", mask: hideAll }),
  names: flag(kinds.list, { summary: "Names.", short: "n" }),
  log_dir: flag(kinds.path, { summary: "Logs." }),
});

const files: Record<string, string> = {
  "/etc/port": "5055\n",
  "/etc/modules": '{"libraries":[]}',
  "/etc/zk": "zk://x/y",
};
const input = (
  words: string[],
  environment: Record<string, string> = {},
  more: Partial<FlagInput> = {},
): FlagInput => ({
  words,
  environment,
  prefix: "MESOS_",
  grammar: mesosGrammar,
  readFile: (path) => {
    const content = files[path];
    if (content === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return content;
  },
  ...more,
});

function loaded(words: string[], environment: Record<string, string> = {}, more: Partial<FlagInput> = {}) {
  const result = loadFlags(table, input(words, environment, more));
  if (!result.ok) throw new Error(result.problems.map(({ text }) => text).join("\n"));
  return result.flags;
}

function problemsOf(
  words: string[],
  environment: Record<string, string> = {},
  more: Partial<FlagInput> = {},
): string[] {
  const result = loadFlags(table, input(words, environment, more));
  return result.ok ? [] : result.problems.map(({ text }) => text);
}

describe("Mesos' command line", () => {
  it("loads typed values and leaves the rest at their defaults", () => {
    const { values } = loaded(["--port=1", "--no-switch_user", "--fetcher_cache_size=64mb", "stray"]);
    const port: number = values.port;
    const master: string | undefined = values.master;
    expect([port, master, values.switch_user, values.fetcher_cache_size]).toEqual([
      1,
      undefined,
      false,
      64 * 1024 ** 2,
    ]);
    expect(values.executor_registration_timeout).toBe(60_000);
  });

  it("lowercases names, trims words, ends at -- and ignores stray words", () => {
    const flags = loaded([" --PORT=7 ", "word", "--", "--port=8"]);
    expect(flags.values.port).toBe(7);
    expect(flags.rest).toEqual(["word", "--port=8"]);
  });

  it.each([
    [["--switch_user"], true],
    [["--switch_user=1"], true],
    [["--switch_user=0"], false],
    [["--switch_user="], true],
    [["--no-switch_user"], false],
  ])("takes %j", (words, value) => {
    expect(loaded(words).values.switch_user).toBe(value);
  });

  it.each([
    [["--work_dir"], "Failed to load non-boolean flag 'work_dir': Missing value\n  Fix: write --work_dir=VALUE"],
    [["--work_dir", "--switch_user"], "Failed to load non-boolean flag 'work_dir': Missing value"],
    [["--work_dir", "-h"], "Failed to load non-boolean flag 'work_dir': Missing value"],
    [["--wrok_dir=/x"], "Failed to load unknown flag 'wrok_dir'\n  Fix: did you mean --work_dir?"],
    [["--workdir=/x"], "Failed to load unknown flag 'workdir'\n  Fix: did you mean --work_dir?"],
    [
      ["--no-swich_user"],
      "Failed to load unknown flag 'swich_user' via 'no-swich_user'\n  Fix: did you mean --switch_user?",
    ],
    [["--no-switch_user=1"], "write --no-switch_user without a value"],
    [["--no-port"], "'port' is not a boolean"],
    [["--switch_user=yes"], "'yes' is not a boolean"],
    [["--port=80x"], "'80x' is not a whole number from 0 to 65535"],
    [["--port=1", "--port=1"], "Flag 'port' is already loaded via name 'port'"],
    [
      ["--sandbox_directory=/a", "--docker_sandbox_directory=/a"],
      "Flag 'sandbox_directory' is already loaded via name 'sandbox_directory'",
    ],
    [["--executor_registration_timeout=5"], "ns, us, ms, secs, mins, hrs, days or weeks"],
    [["--modules={}"], "--modules cannot be honoured: no C++ libraries here"],
    [["--no-strict"], "--no-strict cannot be honoured"],
    [["--docker_config=nonsense"], "it is not JSON"],
    [["--docker_config=[]"], "it is not a JSON object"],
    [["--port=file:///missing"], "(from /missing): ENOENT"],
  ])("refuses %j", (words, message) => {
    expect(problemsOf(words).join("\n")).toContain(message);
  });

  it("takes a value as the next word", () => {
    expect(loaded(["--work_dir", "/x", "--port", "5052", "--switch_user", "--log_dir", "-1"]).values).toMatchObject({
      work_dir: "/x",
      port: 5052,
      switch_user: true,
      log_dir: "-1",
    });
  });

  it("-h is help in every grammar", () => {
    expect(loaded(["--port=1", "-h"]).values).toMatchObject({ help: true, port: 1 });
    expect(loaded(["-help", "-x"]).values.help).toBe(false);
  });

  it("names all mistakes at once and still sees --help", () => {
    const result = loadFlags(table, input(["--port=x", "--nothing_like_it=1", "--help"]));
    expect(result.ok ? 0 : result.problems.length).toBe(2);
    expect(result.flags.values.help).toBe(true);
  });

  it("reads file:// values and bare paths of JSON flags, but not of paths and masters", () => {
    const { values } = loaded(["--port=file:///etc/port", "--master=file:///etc/zk", "--log_dir=file:///var/log"]);
    expect(values).toMatchObject({ port: 5055, master: "file:///etc/zk", log_dir: "/var/log" });
    expect(loaded(["--docker_config=/etc/modules"]).values.docker_config).toEqual({ libraries: [] });
    expect(loaded(["--work_dir=/etc/port"]).values.work_dir).toBe("/etc/port");
  });

  it("warns about what is ignored, not about a default given again", () => {
    expect(loaded(["--eth0_name=eth0"]).warnings).toEqual(["--eth0_name is ignored: port mapping does not exist"]);
    expect(loaded(["--strict"]).warnings).toEqual([]);
  });
});

describe("the environment", () => {
  it("is overridden by the command line", () => {
    const flags = loaded(["--port=2"], { MESOS_PORT: "1", MESOS_SWITCH_USER: "" });
    expect(flags.values).toMatchObject({ port: 2, switch_user: true });
    expect(flags.origins.get("port")).toMatchObject({ source: "command line", written: "--port" });
    expect(flags.origins.get("switch_user")).toMatchObject({ source: "environment", written: "MESOS_SWITCH_USER" });
  });

  it("takes the slips of published run commands, with a warning", () => {
    const flags = loaded([], { MESOS_WORKDIR: "/data", MESOS_REGISTRATION_TIMEOUT: "5min" });
    expect(flags.values).toMatchObject({ work_dir: "/data", executor_registration_timeout: 300_000 });
    expect(flags.warnings).toContain("MESOS_WORKDIR is taken as MESOS_WORK_DIR: use that name");
  });

  it("warns about unknown variables with the nearest name, except known ones", () => {
    const environment = { MESOS_CONTAINR: "x", MESOS_SWICH_USER: "1", MESOS_NATIVE_LIBRARY: "y", OTHER: "z" };
    expect(loaded([], environment, { knownVariables: ["MESOS_NATIVE_*"] }).warnings).toEqual([
      "MESOS_CONTAINR is set, but nothing reads it",
      "MESOS_SWICH_USER is set, but nothing reads it; did you mean MESOS_SWITCH_USER?",
    ]);
  });

  it("takes a renamed flag and shows it under the used name", () => {
    const flags = loaded([], { MESOS_DOCKER_SANDBOX_DIRECTORY: "/data/sandbox" });
    expect(flags.values.sandbox_directory).toBe("/data/sandbox");
    expect(flags.warnings).toEqual([
      "Loaded deprecated flag 'docker_sandbox_directory': its name is 'sandbox_directory' now",
    ]);
    expect(shownFlags(table, flags).get("docker_sandbox_directory")).toBe("/data/sandbox");
  });

  it("refuses two spellings with different values and takes equal ones", () => {
    const both = { MESOS_DOCKER_SANDBOX_DIRECTORY: "/a", MESOS_SANDBOX_DIRECTORY: "/b" };
    expect(problemsOf([], both)[0]).toContain(
      "MESOS_DOCKER_SANDBOX_DIRECTORY and MESOS_SANDBOX_DIRECTORY are both set",
    );
    expect(loaded([], { ...both, MESOS_SANDBOX_DIRECTORY: "/a" }).values.sandbox_directory).toBe("/a");
  });

  it("takes an empty variable as not set", () => {
    const flags = loaded([], { MESOS_PORT: "", MESOS_MASTER: " " });
    expect(flags.values).toMatchObject({ port: 5051, master: undefined });
    expect(flags.warnings).toContain("MESOS_PORT is empty: taken as not set");
  });
});

describe("getopt-like programs", () => {
  const unix = { grammar: unixGrammar };
  it("take short names, spaced and repeated values", () => {
    const { values } = loaded(["-n", "a", "--names", "b,c", "--names=d", "-h"], {}, unix);
    expect(values.names).toEqual(["a", "b", "c", "d"]);
    expect(values.help).toBe(true);
  });
  it("refuse stray words", () => {
    expect(problemsOf(["word"], {}, unix)).toEqual(["'word' is no flag\n  Fix: flags begin with --, see --help"]);
    expect(problemsOf(["-x"], {}, unix)[0]).toContain("unknown flag 'x'");
  });
  it("take Go's single dash where the grammar has it", () => {
    const go = { grammar: { words: "keep", singleDash: true, spacedValues: true } as const };
    expect(loaded(["-port", "3", "-work_dir=/y"], {}, go).values).toMatchObject({ port: 3, work_dir: "/y" });
  });
});

describe("what is shown", () => {
  it("masks secrets, sorts, and leaves unset and meaningless flags out", () => {
    const flags = loaded(["--master=zk://user:pa/ss@a:2181,b:2181/m", '--docker_config={"auths":{}}', "--eth0_name=e"]);
    expect(flagsLine(shownFlags(table, flags))).toBe(
      '--docker_config="********" --eth0_name="e" --executor_registration_timeout="1mins" --fetcher_cache_size="2GB" ' +
        '--help="false" --master="zk://user:********@a:2181,b:2181/m" --port="5051" ' +
        '--sandbox_directory="/mnt/mesos/sandbox" --switch_user="true" --version="false" --work_dir="/tmp/mesos"',
    );
  });

  it("masks values of JSON objects", () => {
    expect(hideJsonValues('{"A":"secret"}')).toBe('{"A":"********"}');
    expect(hideJsonValues("broken")).toBe("********");
  });

  it("prints Mesos' usage", () => {
    const usage = usageText({ program: "mesos-slave", table });
    expect(usage).toMatch(/^Usage: mesos-slave \[options\]\n/);
    expect(usage).toContain("  --[no-]switch_user              Users. (default: true)");
    expect(usage).toMatch(/without effect here:\n {2}--eth0_name=VALUE +port mapping does not exist\n/);
    expect(usage).toMatch(/Refused, [^\n]*:\n {2}--modules=VALUE +no C\+\+ libraries here\n/);
    for (const name of Object.keys(table)) expect(usage).toMatch(new RegExp(`--(\\[no-\\])?${name}\\b`));
  });

  it("writes a documentation page", () => {
    const page = flagsPage({
      title: "Flags",
      introduction: "All.",
      prefix: "MESOS_",
      groups: [{ title: "A", flags: table }],
    });
    expect(page).toContain("| `--port` | `MESOS_PORT` | integer | `5051` | all | supported | Port \\| to bind. |");
    expect(page).toContain("**refused**: no C++ libraries here");
    expect(page).toContain("Also taken: `MESOS_WORKDIR`.");
  });
});

describe("any input", () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      "--",
      "--no-",
      "--port",
      "=",
      "file://",
      "/etc/port",
      "1",
      "true",
      "--names",
      "-n",
      "MESOS_",
      "mins",
    ),
  );
  const word = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(""));

  it("gives values or problems, never a crash, and every value has its type", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.dictionary(word, word), fc.boolean(), (words, rest, isUnix) => {
        const environment = Object.fromEntries(Object.entries(rest).map(([name, value]) => [`MESOS_${name}`, value]));
        const result = loadFlags(table, input(words, environment, isUnix ? { grammar: unixGrammar } : {}));
        const { values } = result.flags;
        expect(Number.isInteger(values.port)).toBe(true);
        expect(typeof values.switch_user).toBe("boolean");
        expect(typeof flagsLine(shownFlags(table, result.flags))).toBe("string");
        if (!result.ok) for (const problem of result.problems) expect(problem.text.length).toBeGreaterThan(5);
      }),
    );
  });

  it("a value that is printed is read back as it was", () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 9 }), fc.nat({ max: 2 ** 40 }), (milliseconds, size) => {
        const words = [
          `--executor_registration_timeout=${kinds.duration.print(milliseconds)}`,
          `--fetcher_cache_size=${kinds.bytes.print(size)}`,
        ];
        expect(loaded(words).values).toMatchObject({
          executor_registration_timeout: milliseconds,
          fetcher_cache_size: size,
        });
      }),
    );
  });
});
