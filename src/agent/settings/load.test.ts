import { describe, expect, it } from "vitest";
import { shownFlags } from "../../config/echo.ts";
import { agentFlagGroups, agentFlags } from "../flags/table.ts";
import { loadAgentFlags } from "./load.ts";

const load = (words: string[], environment: Record<string, string> = {}) =>
  loadAgentFlags({
    words,
    environment,
    readFile: (path) => {
      throw new Error(`ENOENT: ${path}`);
    },
  });

function problems(words: string[]): string {
  const result = load(words);
  return result.ok ? "" : result.problems.map(({ text }) => text).join("\n");
}

describe("the agent's flags", () => {
  it("have every row in exactly one group of the documentation", () => {
    const grouped = agentFlagGroups.flatMap(({ flags }) => Object.keys(flags));
    expect([...grouped].sort()).toEqual(Object.keys(agentFlags).sort());
  });

  it("have one-line summaries that end in a full stop, and defaults that their own parser takes", () => {
    for (const [name, row] of Object.entries(agentFlags)) {
      expect(row.summary, name).toMatch(/^[^\n]+[.}]$/);
      const value: unknown = row.default;
      if (value === undefined) continue;
      const kind = row.kind as { print(value: unknown): string; parse(text: string): unknown };
      expect(kind.parse(kind.print(value)), name).toEqual(value);
    }
  });

  it("are told of, where a word looks like one and is ignored", () => {
    const { warnings } = load(["-port=5052", "word", "--master=local", "-1"]).flags;
    expect(warnings).toContain("'-port=5052' is ignored: flags begin with --");
    expect(warnings.filter((warning) => warning.includes("is ignored: flags"))).toHaveLength(1);
  });

  it("take the published example run command", () => {
    const result = load([], {
      MESOS_IP: "10.10.0.111",
      MESOS_MASTER: "zk://10.10.0.11:2181,10.10.0.12:2181,10.10.0.13:2181/mesos",
      MESOS_REGISTRATION_TIMEOUT: "5min",
      MESOS_HOSTNAME: "10.10.0.111",
      MESOS_DOCKER_SANDBOX_DIRECTORY: "/data/mesos/sandbox",
      MESOS_WORKDIR: "/data/mesos/workdir",
      MESOS_CONTAINERIZES: "docker,mesos",
    });
    expect(result.ok).toBe(true);
    expect(result.flags.values).toMatchObject({
      executor_registration_timeout: 300_000,
      sandbox_directory: "/data/mesos/sandbox",
      work_dir: "/data/mesos/workdir",
      containerizers: ["docker", "mesos"],
    });
    expect(result.flags.warnings).toHaveLength(4);
  });

  it("take --master=local with nothing else, warning that /tmp/mesos does not last", () => {
    const result = load(["--master=local"]);
    expect(result.ok).toBe(true);
    expect(result.flags.warnings.join()).toContain("--work_dir is not given");
    expect(shownFlags(agentFlags, result.flags).get("docker_remove_delay")).toBe("6hrs");
  });

  it.each([
    [[], "Missing required option --master"],
    [["--master=a:1", "--ip=1.2.3.4", "--ip_discovery_command=x"], "Only one of --ip and --ip_discovery_command"],
    [["--master=a:1", "--registration_backoff_factor=2mins"], "give at most 1mins"],
    [["--master=a:1", "--executor_reregistration_timeout=16secs"], "give at most 15secs"],
    [["--master=a:1", "--gc_disk_headroom=1.1"], "'1.1' is not a number from 0 to 1"],
    [["--master=a:1", "--recover=maybe"], "'maybe' is not one of reconnect, cleanup"],
    [["--master=a:1", "--reconfiguration_policy=any"], "'any' is not one of equal, additive"],
    [["--master=a:1", '--executor_environment_variables={"A":1}'], "the value of 'A' is not a string"],
    [["--master=a:1", "--containerizers=dokcer"], "did you mean docker?"],
    [["--master=a:1", "--containerizers=external"], "names 'external', which does not exist"],
    [["--master=a:1", "--isolation=cgroups/cpus"], "did you mean cgroups/cpu?"],
    [["--master=a:1", "--isolation=constructor"], "names 'constructor', which does not exist"],
    [["--master=a:1", "--isolation=linux/seccomp"], "seccomp is not implemented"],
    [["--master=a:1", "--domain={}"], "`domain` must define `fault_domain`"],
    [["--master=a:1", '--domain={"fault_domain":{"region":{"name":"r"}}}'], "no zone with a name"],
    [["--master=a:1", "--logging_level=TRACE"], "'TRACE' is not one of INFO, WARNING, ERROR"],
    [["--master=a:1", "--authenticate_http_readonly"], "nobody could log in"],
    [["--master=a:1", '--acls={"view_task": []}'], "did you mean 'view_tasks'?"],
    [
      ["--master=a:1", '--acls={"view_tasks": [{"users": {"type": "ANY"}}]}'],
      "rule 1 of 'view_tasks' has no 'principals'",
    ],
    [["--master=a:1", "--acls=/no/such/file"], "Failed to load flag 'acls' (--acls) (from /no/such/file)"],
    [["--master=a:1", "--authenticate_http_executors"], "without --jwt_secret_key"],
    [["--master=a:1", "--http_authenticators=jwt"], "without --jwt_secret_key"],
    [["--master=a:1", "--http_authenticators=bearer"], "'bearer' is not one of basic, jwt"],
    [
      ["--master=a:1", "--authenticate_http_executors", "--jwt_secret_key=/k", "--http_authenticators=basic"],
      "no executor could register",
    ],
    [["--master=a:1", "--work_dir=relative"], "not an absolute path"],
    [["--master=a:1", "--cgroups_root=../x"], "--cgroups_root is '../x'"],
    [["--master=a:1", "--firewall_rules=[1]"], "it is not a JSON object"],
    [["--master=a:1", '--firewall_rules={"disabled_endpoints":{"paths":["/a",1]}}'], "the paths are not strings"],
    [["--master=a:1", '--firewall_rules={"disabled_endpoints":{"paths":"/a"}}'], "the paths are not strings"],
    [["--master=a:1", "--http_cors_allowed_origins=https://a:1,b:2"], "'b:2' is not an origin"],
    [["--master=a:1", "--http_cors_allowed_origins=https://a/x"], "'https://a/x' is not an origin"],
  ])("refuse %j", (words, message) => {
    expect(problems(words)).toContain(message);
  });

  it("parse origins, in the spelling of browsers", () => {
    const { values } = load(["--master=a:1", "--http_cors_allowed_origins=https://A.example:443, http://b:5050"]).flags;
    expect(values.http_cors_allowed_origins).toEqual(["https://a.example", "http://b:5050"]);
  });

  it("parse firewall rules and the fault domain", () => {
    const { values } = load([
      "--master=a:1",
      '--firewall_rules={"disabled_endpoints":{"paths":["/files/debug"]}}',
      '--domain={"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}',
    ]).flags;
    expect(values.firewall_rules).toEqual(["/files/debug"]);
    expect(values.domain).toEqual({ region: "eu", zone: "eu-1" });
  });
});
