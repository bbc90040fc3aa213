import { describe, expect, it } from "vitest";
import { loadAgentFlags } from "./load.ts";

/** What is said of flags beside those that are always needed. */
function findings(...words: string[]) {
  const given = new Set(words.map((word) => word.split("=")[0]));
  const usual = ["--master=a:1", "--work_dir=/w"].filter((word) => !given.has(word.split("=")[0]));
  const loaded = loadAgentFlags({
    words: [...usual, ...words],
    environment: {},
    readFile: () => '{"credentials":[{"principal":"p","secret":"s"}]}',
  });
  const problems = loaded.ok ? [] : loaded.problems.map(({ text }) => text);
  return { problems: problems.join("\n"), warnings: loaded.flags.warnings.join("\n") };
}

const minutes = (count: number): string => `${count}mins`;

describe("flags that fit together are not complained of", () => {
  it.each([
    [[]],
    [["--ip=1.2.3.4"]],
    [["--ip_discovery_command=x"]],
    [["--hostname=n", "--advertise_port=1"]],
    [[`--registration_backoff_factor=${minutes(1)}`]],
    [["--executor_reregistration_timeout=15secs", "--executor_reregistration_retry_interval=100ms"]],
    [["--authentication_timeout_min=5secs", "--authentication_timeout_max=5secs"]],
    [["--disk_watch_interval=1secs", "--container_disk_watch_interval=1secs"]],
    [["--cgroups_root=mesos/a", `--docker_socket=/${"s".repeat(106)}`]],
    [["--containerizers=docker,mesos"]],
    [["--isolation=cgroups/cpu,disk/du", "--enforce_container_disk_quota"]],
    [["--isolation=posix/disk", "--enforce_container_disk_quota"]],
    [["--quiet", "--log_dir=/l"]],
    [["--authenticate_http_readonly", "--http_credentials=file:///c"]],
    [["--authenticate_http_readwrite", "--http_credentials=file:///c"]],
  ])("%j", (words) => {
    expect(findings(...words)).toEqual({ problems: "", warnings: "" });
  });
});

describe("a start is refused", () => {
  it.each([
    [["--hostname="], "--hostname is empty"],
    [["--advertise_port=0"], "--advertise_port cannot be 0"],
    [["--registration_backoff_factor=61secs"], "give at most 1mins"],
    [["--authentication_timeout_min=6secs", "--authentication_timeout_max=5secs"], "swap or raise it"],
    [["--executor_reregistration_retry_interval=0ns"], "cannot be 0"],
    [["--disk_watch_interval=0ns"], "--disk_watch_interval and --container_disk_watch_interval cannot be 0"],
    [["--container_disk_watch_interval=0ns"], "--disk_watch_interval and --container_disk_watch_interval cannot be 0"],
    [["--work_dir=w"], "--work_dir is 'w', not an absolute path"],
    [["--runtime_dir=r"], "--runtime_dir is 'r', not an absolute path"],
    [["--sandbox_directory=s"], "--sandbox_directory is 's', not an absolute path"],
    [["--cgroups_root=/mesos"], "--cgroups_root is '/mesos'"],
    [["--cgroups_root=a b"], "--cgroups_root is 'a b'"],
    [["--cgroups_root=a/../b"], "--cgroups_root is 'a/../b'"],
    [[`--docker_socket=/${"s".repeat(107)}`], "--docker_socket is longer than 107 bytes"],
    [["--containerizers=mesos,mesos"], "names 'mesos' twice"],
    [["--containerizers=zzzzzz"], "there are docker and mesos"],
    [["--isolation=zzzzzz"], "modules cannot be loaded; leave it out"],
    [["--isolation=namespaces/pid"], "leave namespaces/pid out"],
    [
      ["--authenticate_http_readonly", "--authenticate_http_readwrite"],
      "--authenticate_http_readonly and --authenticate_http_readwrite without --http_credentials",
    ],
    [["--authenticate_http_readwrite"], "--authenticate_http_readwrite without --http_credentials"],
  ])("with %j", (words, why) => {
    expect(findings(...words).problems).toContain(why);
  });

  it("for every reason at once: nobody has to start it again for the next one", () => {
    const { problems } = findings("--hostname=", "--advertise_port=0", "--cgroups_root=/x", "--containerizers=none");
    for (const name of ["--hostname", "--advertise_port", "--cgroups_root", "--containerizers"])
      expect(problems).toContain(name);
  });
});

describe("what has no effect is said", () => {
  it.each([
    [["--quiet"], "--quiet without --log_dir"],
    [["--log_dir=/l", "--external_log_file=/e"], "--external_log_file is shown on the pages"],
    [["--http_credentials=file:///c"], "--http_credentials has no effect"],
    [["--enforce_container_disk_quota"], "has no effect without --isolation=disk/du"],
    [["--isolation=cgroups/cpuset"], "cgroups/cpuset is ignored"],
  ])("%j", (words, warning) => {
    const found = findings(...words);
    expect(found.problems).toBe("");
    expect(found.warnings).toContain(warning);
  });
});
