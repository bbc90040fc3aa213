import { describe, expect, it } from "vitest";
import type { CreateRequest } from "../create-request.ts";
import { newDraft, type RunDraft } from "./draft.ts";
import { applyRunOptions, expandFiles, runOptions } from "./run-options.ts";

function draftOf(...parameters: [string, string][]): RunDraft {
  const draft = newDraft("n", { Image: "i", HostConfig: { NetworkMode: "bridge" } });
  applyRunOptions(
    draft,
    parameters.map(([key, value]) => ({ key, value })),
  );
  return draft;
}

type Host = CreateRequest["HostConfig"];
const host = (settings: Host): object => ({ HostConfig: settings });
const endpoint = (settings: object): object => ({ NetworkingConfig: { EndpointsConfig: { bridge: settings } } });

/** Every option with values and what they make of the request. */
const cases: [string, string[], object][] = [
  ["add-host", ["a:1.2.3.4", "b:::1"], host({ ExtraHosts: ["a:1.2.3.4", "b:::1"] })],
  ["annotation", ["a=b"], host({ Annotations: { a: "b" } })],
  ["attach", ["stdout"], {}],
  ["blkio-weight", ["300"], host({ BlkioWeight: 300 })],
  ["blkio-weight-device", ["/dev/sda:200"], host({ BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 200 }] })],
  ["cap-add", ["NET_ADMIN", "SYS_TIME"], host({ CapAdd: ["NET_ADMIN", "SYS_TIME"] })],
  ["cap-drop", ["ALL"], host({ CapDrop: ["ALL"] })],
  ["cgroup-parent", ["/mesos"], host({ CgroupParent: "/mesos" })],
  ["cgroupns", ["private"], host({ CgroupnsMode: "private" })],
  ["cpu-count", ["2"], host({ CpuCount: 2 })],
  ["cpu-percent", ["50"], host({ CpuPercent: 50 })],
  ["cpu-period", ["50000"], host({ CpuPeriod: 50_000 })],
  ["cpu-quota", ["-1"], host({ CpuQuota: -1 })],
  ["cpu-rt-period", ["1000"], host({ CpuRealtimePeriod: 1000 })],
  ["cpu-rt-runtime", ["900"], host({ CpuRealtimeRuntime: 900 })],
  ["cpu-shares", ["10"], host({ CpuShares: 10 })],
  ["cpus", ["1.5"], host({ NanoCpus: 1.5e9 })],
  ["cpuset-cpus", ["0-1"], host({ CpusetCpus: "0-1" })],
  ["cpuset-mems", ["0"], host({ CpusetMems: "0" })],
  ["detach", ["true"], {}],
  ["detach-keys", ["ctrl-x"], {}],
  [
    "device",
    ["/dev/fuse"],
    host({ Devices: [{ PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" }] }),
  ],
  [
    "device",
    ["/dev/a:/dev/b:r"],
    host({ Devices: [{ PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "r" }] }),
  ],
  [
    "device",
    ["vendor.com/class=one"],
    host({ DeviceRequests: [{ Driver: "cdi", DeviceIDs: ["vendor.com/class=one"] }] }),
  ],
  ["device-cgroup-rule", ["c 1:3 mr"], host({ DeviceCgroupRules: ["c 1:3 mr"] })],
  ["device-read-bps", ["/dev/sda:1mb"], host({ BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 << 20 }] })],
  ["device-read-iops", ["/dev/sda:100"], host({ BlkioDeviceReadIOps: [{ Path: "/dev/sda", Rate: 100 }] })],
  ["device-write-bps", ["/dev/sda:1kb"], host({ BlkioDeviceWriteBps: [{ Path: "/dev/sda", Rate: 1024 }] })],
  ["device-write-iops", ["/dev/sda:7"], host({ BlkioDeviceWriteIOps: [{ Path: "/dev/sda", Rate: 7 }] })],
  ["disable-content-trust", ["true"], {}],
  ["dns", ["8.8.8.8", "1.1.1.1"], host({ Dns: ["8.8.8.8", "1.1.1.1"] })],
  ["dns-opt", ["ndots:1"], host({ DnsOptions: ["ndots:1"] })],
  ["dns-option", ["ndots:2"], host({ DnsOptions: ["ndots:2"] })],
  ["dns-search", ["example.org"], host({ DnsSearch: ["example.org"] })],
  ["domainname", ["example.org"], { Domainname: "example.org" }],
  ["entrypoint", ["/bin/run"], { Entrypoint: ["/bin/run"] }],
  ["env", ["A=1", "B=2", "A=3=x"], { Env: ["B=2", "A=3=x"] }],
  ["expose", ["80", "100-101/udp"], { ExposedPorts: { "80/tcp": {}, "100/udp": {}, "101/udp": {} } }],
  ["gpus", ["all"], host({ DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }] })],
  [
    "gpus",
    ['"device=0,1",capabilities=utility'],
    host({ DeviceRequests: [{ DeviceIDs: ["0", "1"], Capabilities: [["gpu", "utility"]] }] }),
  ],
  ["group-add", ["audio"], host({ GroupAdd: ["audio"] })],
  ["health-cmd", ["true"], { Healthcheck: { Test: ["CMD-SHELL", "true"] } }],
  ["health-interval", ["1m30s"], { Healthcheck: { Interval: 9e10 } }],
  ["health-retries", ["3"], { Healthcheck: { Retries: 3 } }],
  ["health-start-interval", ["500ms"], { Healthcheck: { StartInterval: 5e8 } }],
  ["health-start-period", ["2h"], { Healthcheck: { StartPeriod: 7.2e12 } }],
  ["health-timeout", ["10s"], { Healthcheck: { Timeout: 1e10 } }],
  ["hostname", ["h"], { Hostname: "h" }],
  ["init", ["true"], host({ Init: true })],
  ["interactive", ["true"], { OpenStdin: true }],
  ["io-maxbandwidth", ["1m"], host({ IOMaximumBandwidth: 1 << 20 })],
  ["io-maxiops", ["5"], host({ IOMaximumIOps: 5 })],
  ["ip", ["10.0.0.2"], endpoint({ IPAMConfig: { IPv4Address: "10.0.0.2" } })],
  ["ip6", ["fd00::2"], endpoint({ IPAMConfig: { IPv6Address: "fd00::2" } })],
  ["ipc", ["host"], host({ IpcMode: "host" })],
  ["isolation", ["default"], host({ Isolation: "default" })],
  ["kernel-memory", ["32m"], host({ KernelMemory: 32 << 20 })],
  ["label", ["a=b=c", "d"], { Labels: { a: "b=c", d: "" } }],
  ["link", ["db:alias"], host({ Links: ["db:alias"] })],
  ["link-local-ip", ["169.254.1.1"], endpoint({ IPAMConfig: { LinkLocalIPs: ["169.254.1.1"] } })],
  ["log-driver", ["syslog"], host({ LogConfig: { Type: "syslog", Config: {} } })],
  [
    "log-opt",
    ["max-size=10m", "max-file=2"],
    host({ LogConfig: { Type: "", Config: { "max-size": "10m", "max-file": "2" } } }),
  ],
  ["mac-address", ["02:42:ac:11:00:02"], { MacAddress: "02:42:ac:11:00:02" }],
  ["memory", ["1.5g"], host({ Memory: 1.5 * 2 ** 30 })],
  ["memory-reservation", ["100"], host({ MemoryReservation: 100 })],
  ["memory-swap", ["-1"], host({ MemorySwap: -1 })],
  ["memory-swappiness", ["0"], host({ MemorySwappiness: 0 })],
  [
    "mount",
    ["type=bind,src=/a,dst=/b,ro"],
    host({ Mounts: [{ Type: "bind", Source: "/a", Target: "/b", ReadOnly: true }] }),
  ],
  [
    "mount",
    ["source=v,target=/v,volume-driver=d,volume-opt=o=1,volume-nocopy,volume-label=x=y"],
    host({
      Mounts: [
        {
          Type: "volume",
          Source: "v",
          Target: "/v",
          VolumeOptions: { DriverConfig: { Name: "d", Options: { o: "1" } }, NoCopy: true, Labels: { x: "y" } },
        },
      ],
    }),
  ],
  [
    "mount",
    ["type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777"],
    host({ Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1777 } }] }),
  ],
  ["name", ["own"], {}],
  ["net", ["host"], host({ NetworkMode: "host" })],
  ["net-alias", ["a"], endpoint({ Aliases: ["a"] })],
  ["network", ["mine"], host({ NetworkMode: "mine" })],
  [
    "network",
    ["name=mine,alias=a,driver-opt=k=v"],
    {
      HostConfig: { NetworkMode: "mine" },
      NetworkingConfig: { EndpointsConfig: { mine: { Aliases: ["a"], DriverOpts: { k: "v" } } } },
    },
  ],
  ["network-alias", ["a", "b"], endpoint({ Aliases: ["a", "b"] })],
  ["no-healthcheck", ["true"], { Healthcheck: { Test: ["NONE"] } }],
  ["oom-kill-disable", ["true"], host({ OomKillDisable: true })],
  ["oom-score-adj", ["-500"], host({ OomScoreAdj: -500 })],
  ["pid", ["host"], host({ PidMode: "host" })],
  ["pids-limit", ["100"], host({ PidsLimit: 100 })],
  ["platform", ["linux/arm64"], {}],
  ["privileged", ["true"], host({ Privileged: true })],
  [
    "publish",
    ["8080:80", "127.0.0.1::53/udp", "[::1]:9000-9001:90-91", "7"],
    {
      ExposedPorts: { "80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}, "7/tcp": {} },
      HostConfig: {
        PortBindings: {
          "80/tcp": [{ HostIp: "", HostPort: "8080" }],
          "53/udp": [{ HostIp: "127.0.0.1", HostPort: "" }],
          "90/tcp": [{ HostIp: "::1", HostPort: "9000" }],
          "91/tcp": [{ HostIp: "::1", HostPort: "9001" }],
          "7/tcp": [{ HostIp: "", HostPort: "" }],
        },
      },
    },
  ],
  ["publish-all", ["true"], host({ PublishAllPorts: true })],
  ["pull", ["always"], {}],
  ["quiet", ["true"], {}],
  ["read-only", ["true"], host({ ReadonlyRootfs: true })],
  ["restart", ["on-failure:3"], host({ RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } })],
  ["rm", ["true"], {}],
  ["runtime", ["kata"], host({ Runtime: "kata" })],
  [
    "security-opt",
    ["label:disable", "no-new-privileges"],
    host({ SecurityOpt: ["label=disable", "no-new-privileges"] }),
  ],
  ["security-opt", ["systempaths=unconfined"], host({ MaskedPaths: [], ReadonlyPaths: [] })],
  ["shm-size", ["64m"], host({ ShmSize: 64 << 20 })],
  ["sig-proxy", ["false"], {}],
  ["stop-signal", ["SIGINT"], { StopSignal: "SIGINT" }],
  ["stop-timeout", ["30"], { StopTimeout: 30 }],
  ["storage-opt", ["size=10G"], host({ StorageOpt: { size: "10G" } })],
  ["sysctl", ["net.core.somaxconn=1024"], host({ Sysctls: { "net.core.somaxconn": "1024" } })],
  ["tmpfs", ["/run:size=1m", "/x"], host({ Tmpfs: { "/run": "size=1m", "/x": "" } })],
  ["tty", ["true"], { Tty: true }],
  [
    "ulimit",
    ["nofile=10:20", "core=0"],
    host({
      Ulimits: [
        { Name: "nofile", Soft: 10, Hard: 20 },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
    }),
  ],
  ["user", ["nobody"], { User: "nobody" }],
  ["userns", ["host"], host({ UsernsMode: "host" })],
  ["uts", ["host"], host({ UTSMode: "host" })],
  ["volume", ["/a:/b:ro", "/anonymous"], { HostConfig: { Binds: ["/a:/b:ro"] }, Volumes: { "/anonymous": {} } }],
  ["volume-driver", ["rexray"], host({ VolumeDriver: "rexray" })],
  ["volumes-from", ["other:ro"], host({ VolumesFrom: ["other:ro"] })],
  ["workdir", ["/srv"], { WorkingDir: "/srv" }],
];

/** What the docker command of Docker 28 lists as `docker run --help`, and its hidden old names. */
const DOCKER_28 =
  "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-opt dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval health-start-period health-timeout help hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit use-api-socket user userns uts volume volume-driver volumes-from workdir".split(
    " ",
  );
const REFUSED = ["cidfile", "help", "use-api-socket"];
const FILES = ["env-file", "label-file"];

describe("docker run options", () => {
  it("knows every option of the current docker command, and each is tried here", () => {
    expect([...Object.keys(runOptions), ...FILES].sort()).toEqual([...DOCKER_28].sort());
    expect([...new Set(cases.map(([key]) => key)), ...REFUSED].sort()).toEqual(Object.keys(runOptions).sort());
  });

  it.each(cases)("%s %j", (key, values, expected) => {
    const draft = draftOf(...values.map((value): [string, string] => [key, value]));
    const before = { Image: "i", HostConfig: { NetworkMode: "bridge" } };
    const { HostConfig, ...rest } = expected as Partial<CreateRequest>;
    expect(draft.request).toEqual({ ...before, ...rest, HostConfig: { ...before.HostConfig, ...HostConfig } });
  });

  it("keeps what the client itself acts on", () => {
    expect(draftOf(["name", "own"], ["platform", "linux/arm64"], ["pull", "never"], ["rm", "true"])).toMatchObject({
      name: "own",
      platform: "linux/arm64",
      pull: "never",
      removeAtEnd: true,
    });
  });

  it("applies network first, since addresses belong to it", () => {
    const { request } = draftOf(["ip", "10.0.0.2"], ["network", "mine"]);
    expect(request.NetworkingConfig).toEqual({
      EndpointsConfig: { mine: { IPAMConfig: { IPv4Address: "10.0.0.2" } } },
    });
  });

  it("replaces a CFS quota by cpus, which Docker refuses side by side", () => {
    const draft = newDraft("n", { Image: "i", HostConfig: { CpuQuota: 1000, CpuPeriod: 100_000 } });
    applyRunOptions(draft, [{ key: "cpus", value: "2" }]);
    expect(draft.host).toEqual({ NanoCpus: 2e9 });
  });

  it.each([
    ["frobnicate", "1", /'frobnicate' is not an option of docker run/],
    ["volum", "/a", /did you mean 'volume'\?/],
    ["constructor", "x", /'constructor' is not an option/],
    ["__proto__", "x", /'__proto__' is not an option/],
    ["memory", "lots", /'memory': 'lots' is not a size/],
    ["privileged", "maybe", /'privileged': 'maybe' is not true or false/],
    ["health-interval", "5 parsecs", /'health-interval': '5 parsecs' is not a duration/],
    ["publish", "a:b:c:d", /'publish': 'a:b:c:d' is not a port mapping/],
    ["publish", "8000-8001:80-82", /maps 2 ports to 3/],
    ["expose", "70000", /'expose': '70000' is not a port/],
    ["mount", "type=bind,src=/a", /has no target/],
    ["mount", "bogus=1,target=/a", /'bogus' is not a key of mount/],
    ["device", "sda", /'sda' is not a device/],
    ["env", "HOME", /has no value/],
    ["ulimit", "nofile", /is not a whole number/],
    ["pull", "often", /is not always, missing or never/],
    ["cidfile", "/tmp/id", /'cidfile'/],
    ["help", "true", /'help'/],
    ["use-api-socket", "true", /'use-api-socket'/],
  ])("refuses %s=%s by name", (key, value, message) => {
    expect(() => draftOf([key, value])).toThrow();
    try {
      draftOf([key, value]);
    } catch (error) {
      expect((error as { text: string }).text).toMatch(message);
    }
  });

  it("reads the files that options name", async () => {
    const files: Record<string, string> = {
      "vars.env": "# note\nA=1\n\n  B=two words\nNOVALUE\n",
      l: "x=y\n",
      p: "{}",
    };
    const read = async (path: string): Promise<string> => {
      const text = files[path];
      if (text === undefined) throw new Error("ENOENT");
      return text;
    };
    const expanded = await expandFiles(
      [
        { key: "env-file", value: "vars.env" },
        { key: "label-file", value: "l" },
        { key: "security-opt", value: "seccomp=p" },
        { key: "security-opt", value: "seccomp=unconfined" },
        { key: "user", value: "u" },
      ],
      read,
    );
    expect(expanded.map(({ key, value }) => `${key} ${value}`)).toEqual([
      "env A=1",
      "env B=two words",
      "label x=y",
      "security-opt seccomp={}",
      "security-opt seccomp=unconfined",
      "user u",
    ]);
    await expect(expandFiles([{ key: "env-file", value: "gone" }], read)).rejects.toThrow(
      /'env-file': cannot read gone/,
    );
  });
});
