import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  ContainerInfo_DockerInfo_Network as Network,
  type Resource,
  ResourceSchema,
  TaskInfoSchema,
  Value_ScalarSchema,
  Value_Type,
  Volume_Mode,
  Volume_Source_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerSpec } from "../../model/container.ts";
import { dockerInfoOf, launchPlan, type PlanContext } from "./launch-plan.ts";
import { parseContainerDns } from "./networks.ts";

const scalar = (name: string, value: number): Resource =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value }, allocationInfo: { role: "prod" } });
const ports = (begin: number, end: number): Resource =>
  create(ResourceSchema, {
    name: "ports",
    type: Value_Type.RANGES,
    ranges: { range: [{ begin: BigInt(begin), end: BigInt(end) }] },
  });
const limit = (value: number) => create(Value_ScalarSchema, { value });

type ContainerInit = Extract<MessageInitShape<typeof ContainerInfoSchema>, { $typeName?: never }>;
interface Wishes {
  readonly container?: Partial<ContainerInit>;
  readonly docker?: object;
  readonly command?: object;
  readonly resources?: readonly Resource[];
  readonly limits?: ContainerSpec["limits"];
  readonly environment?: Record<string, string>;
  readonly executor?: boolean;
  readonly sandbox?: string;
  readonly context?: Partial<PlanContext>;
}

function plan(wishes: Wishes = {}) {
  const container = create(ContainerInfoSchema, {
    type: ContainerInfo_Type.DOCKER,
    ...wishes.container,
    docker: { image: "app", ...wishes.docker },
  });
  const spec: ContainerSpec = {
    containerId: "cid",
    framework: create(FrameworkInfoSchema, { id: { value: "F" } }),
    executor: create(ExecutorInfoSchema, { executorId: { value: "E" } }),
    task: wishes.executor ? undefined : create(TaskInfoSchema, { taskId: { value: "T" } }),
    command: create(CommandInfoSchema, { shell: true, value: "run it", ...wishes.command }),
    container,
    sandbox: wishes.sandbox ?? "/work/runs/cid",
    user: undefined,
    environment: wishes.environment ?? {},
    resources: wishes.resources ?? [scalar("cpus", 1), scalar("mem", 128)],
    limits: wishes.limits ?? {},
    checkpoint: true,
  };
  const parameters = (container.docker?.parameters ?? []).map(({ key, value }) => ({ key, value }));
  return launchPlan(spec, {
    workDir: "/w",
    agentKey: "K",
    agentId: "S",
    name: "mesos-cid",
    sandboxDirectory: "/mnt/mesos/sandbox",
    dns: [],
    cfs: false,
    hostMemory: 0,
    parameters,
    ...wishes.context,
  });
}

const bind = (Source: string, Target: string) => ({
  Type: "bind",
  Source,
  Target,
  BindOptions: { CreateMountpoint: true },
});

describe("the plan of a docker task", () => {
  it("is what Mesos gave to docker run", () => {
    const variables = [{ name: "B" }, { name: "A" }];
    const environment = { B: "2", A: "1", PATH: "/agent/bin", MESOS_DIRECTORY: "/work/runs/cid" };
    expect(plan({ environment, command: { environment: { variables } } })).toEqual({
      name: "mesos-cid",
      image: "app:latest",
      pull: "missing",
      platform: undefined,
      removeAtEnd: false,
      warnings: [],
      request: {
        Image: "app:latest",
        Entrypoint: ["/bin/sh"],
        Cmd: ["-c", "run it"],
        Env: [
          "A=1",
          "B=2",
          "MESOS_ALLOCATION_ROLE=prod",
          "MESOS_CONTAINER_NAME=mesos-cid",
          "MESOS_SANDBOX=/mnt/mesos/sandbox",
        ],
        Labels: {
          "org.apache.mesos.agent-key": "K",
          "org.apache.mesos.agent-id": "S",
          "org.apache.mesos.framework-id": "F",
          "org.apache.mesos.executor-id": "E",
          "org.apache.mesos.task-id": "T",
          "org.apache.mesos.container-id": "cid",
        },
        AttachStdout: true,
        AttachStderr: true,
        HostConfig: {
          NetworkMode: "host",
          Mounts: [bind("/work/runs/cid", "/mnt/mesos/sandbox")],
          CpuShares: 1024,
          Memory: 128 << 20,
        },
      },
    });
  });

  it.each([
    [{ shell: false, value: "prog", arguments: ["a", "b"] }, { Cmd: ["prog", "a", "b"] }],
    [{ shell: false, value: undefined, arguments: ["a"] }, { Cmd: ["a"] }],
    [
      { shell: false, value: undefined, arguments: [] },
      { Cmd: undefined, Entrypoint: undefined },
    ],
  ])("command %j", (command, expected) => {
    const { Cmd, Entrypoint } = plan({ command }).request;
    expect({ Cmd, Entrypoint }).toEqual({ Entrypoint: undefined, ...expected });
  });

  it("cannot be without docker info, which older masters let through", () => {
    const container = create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER });
    for (const spec of [{ container }, { container: undefined }])
      expect(() => dockerInfoOf(spec)).toThrow("the container has no docker info");
  });

  it("keeps our labels beside a task's own", () => {
    const parameters = [{ key: "label", value: "own=1" }];
    const { Labels } = plan({ docker: { parameters } }).request;
    expect(Labels).toMatchObject({ "org.apache.mesos.agent-key": "K", own: "1" });
  });

  it("gives an executor its whole environment, with the image's own PATH", () => {
    const environment = { PATH: "/agent/bin", MESOS_DIRECTORY: "/work/runs/cid" };
    const names = (wishes: Wishes) => plan(wishes).request.Env?.map((one) => one.split("=")[0]);
    expect(names({ executor: true, environment })).toContain("MESOS_DIRECTORY");
    expect(names({ executor: true, environment })).not.toContain("PATH");
    const command = { environment: { variables: [{ name: "PATH" }] } };
    expect(names({ executor: true, environment, command })).toContain("PATH");
  });

  it("has a terminal where one is asked for", () => {
    expect(plan({ container: { ttyInfo: {} } }).request).toMatchObject({ Tty: true, OpenStdin: true });
    expect(plan({}).request).not.toHaveProperty("Tty");
  });

  it("pulls when forced", () => expect(plan({ docker: { forcePullImage: true } }).pull).toBe("always"));

  it("warns of a restart policy", () => {
    const parameters = [{ key: "restart", value: "always" }];
    expect(plan({ docker: { parameters } }).warnings).toEqual([expect.stringContaining("restart policy 'always'")]);
  });
});

describe("resources", () => {
  const of = (
    resources: readonly Resource[],
    limits: ContainerSpec["limits"] = {},
    context: Partial<PlanContext> = {},
  ) => {
    const { NetworkMode: _, Mounts: __, ...settings } = plan({ resources, limits, context }).request.HostConfig;
    return settings;
  };
  it("have floors", () => {
    expect(of([scalar("cpus", 0), scalar("mem", 1)])).toEqual({ CpuShares: 2, Memory: 32 << 20 });
    expect(of([scalar("cpus", 0.001)], {}, { cfs: true })).toEqual({
      CpuShares: 2,
      CpuPeriod: 100_000,
      CpuQuota: 1000,
    });
    expect(of([])).toEqual({});
  });
  it("add up over roles and have a ceiling", () => {
    expect(of([scalar("cpus", 0.5), scalar("cpus", 1)])).toEqual({ CpuShares: 1536 });
    expect(of([scalar("cpus", 1000)])).toEqual({ CpuShares: 262_144 });
  });
  it("make a CFS quota with the flag, or with a finite limit", () => {
    expect(of([scalar("cpus", 1.5)], {}, { cfs: true })).toMatchObject({ CpuQuota: 150_000 });
    expect(of([scalar("cpus", 1)], { cpus: limit(2) })).toMatchObject({ CpuShares: 1024, CpuQuota: 200_000 });
    expect(of([scalar("cpus", 1)], { cpus: limit(Number.POSITIVE_INFINITY) }, { cfs: true })).toEqual({
      CpuShares: 1024,
    });
  });
  it("reserve the request and limit to the limit, with an OOM score for bursting tasks", () => {
    const context = { hostMemory: 1000 << 20 };
    expect(of([scalar("mem", 100)], { mem: limit(200) }, context)).toEqual({
      Memory: 200 << 20,
      MemoryReservation: 100 << 20,
      OomScoreAdj: 900,
    });
    expect(of([scalar("mem", 100)], { mem: limit(100) }, context)).toEqual({
      Memory: 100 << 20,
      MemoryReservation: 100 << 20,
    });
    const infinite = of([scalar("mem", 100)], { mem: limit(Number.POSITIVE_INFINITY) }, context);
    expect(infinite).toEqual({ MemoryReservation: 100 << 20, OomScoreAdj: 900 });
  });
});

describe("volumes", () => {
  const binds = (...volumes: object[]) =>
    plan({ container: { volumes } as never }).request.HostConfig.Mounts?.slice(0, -1);
  const rw = { mode: Volume_Mode.RW };
  it("lie where Mesos puts them", () => {
    const readOnly = { ...bind("/out", "/in"), ReadOnly: true };
    expect(binds({ containerPath: "/in", hostPath: "/out", mode: Volume_Mode.RO })).toEqual([readOnly]);
    expect(binds({ containerPath: "in", hostPath: "/out", ...rw })).toEqual([bind("/out", "/mnt/mesos/sandbox/in")]);
    expect(binds({ containerPath: "/in", hostPath: "sub/dir", ...rw })).toEqual([
      bind("/work/runs/cid/sub/dir", "/in"),
    ]);
  });
  it("may have colons in their paths, as the sandbox of a task may", () => {
    const sandbox = "/work/executors/ct:1462521258082:0:report:/runs/cid";
    const volumes = [
      { containerPath: "/i:n", hostPath: "/o:ut", ...rw },
      { containerPath: "/in", hostPath: "sub", ...rw },
    ];
    expect(plan({ container: { volumes } as never, sandbox }).request.HostConfig).toMatchObject({
      Mounts: [bind("/o:ut", "/i:n"), bind(`${sandbox}/sub`, "/in"), bind(sandbox, "/mnt/mesos/sandbox")],
    });
  });
  it("of a driver keep their names", () => {
    const driven = (Source: string, Name: string) => ({
      Type: "volume",
      Source,
      Target: "/in",
      VolumeOptions: { DriverConfig: { Name } },
    });
    const source = { type: Volume_Source_Type.DOCKER_VOLUME, dockerVolume: { name: "v", driver: "rexray" } };
    const { HostConfig } = plan({ container: { volumes: [{ containerPath: "/in", ...rw, source }] } as never }).request;
    expect(HostConfig).toMatchObject({ VolumeDriver: "rexray", Mounts: [driven("v", "rexray"), expect.anything()] });
    const volumes = [{ containerPath: "/in", hostPath: "data", ...rw }];
    const named = plan({ container: { volumes } as never, docker: { volumeDriver: "flocker" } });
    expect(named.request.HostConfig).toMatchObject({
      VolumeDriver: "flocker",
      Mounts: [driven("data", "flocker"), expect.anything()],
    });
    const parameters = [{ key: "volume-driver", value: "portworx" }];
    const plain = { type: Volume_Source_Type.DOCKER_VOLUME, dockerVolume: { name: "v" } };
    const byParameter = { container: { volumes: [{ containerPath: "/in", ...rw, source: plain }] } as never };
    expect(plan({ ...byParameter, docker: { parameters } }).request.HostConfig.Mounts?.[0]).toEqual(
      driven("v", "portworx"),
    );
  });
  it("of other sources are left out, and said", () => {
    const volumes = [{ containerPath: "/in", ...rw, source: { type: Volume_Source_Type.SANDBOX_PATH } }];
    expect(plan({ container: { volumes } as never }).warnings).toEqual([
      "volume /in is ignored: Docker knows no such source",
    ]);
  });
  it.each([
    [{ containerPath: "in", hostPath: "out", ...rw }, /both host_path 'out' and container_path 'in'/],
    [{ containerPath: "/in", ...rw }, /neither host_path nor source/],
    [{ containerPath: "/in", hostPath: "/out" }, /has no mode/],
    [{ containerPath: "/in", hostPath: "../../other", ...rw }, /leaves the sandbox/],
    [{ containerPath: "/in", ...rw, source: { type: Volume_Source_Type.SECRET } }, /is a secret/],
  ])("refuses %j", (volume, message) => expect(() => binds(volume)).toThrow(message));
});

describe("options that take over what is not the task's", () => {
  const withOption = (key: string, value: string) => () => plan({ docker: { parameters: [{ key, value }] } });
  it.each([
    ["name", "mine", /names its containers/],
    ["label", "org.apache.mesos.agent-key=other", /how the agent finds/],
    ["net", "container:other", /network of another container/],
    ["network", "container:other", /network of another container/],
    ["network", "name=container:other,alias=a", /network of another container/],
    ["pid", "container:other", /processes of another container/],
    ["ipc", "container:other", /memory of another container/],
    ["volumes-from", "other", /volumes of another container/],
  ])("%s=%s", (key, value, why) => expect(withOption(key, value)).toThrow(why));
  it("neither is the name of its network another container", () => {
    const container = { networkInfos: [{ name: "container:other" }] };
    expect(() => plan({ container, docker: { network: Network.USER } })).toThrow(/network of another container/);
  });
  it.each([
    ["label", "team=web"],
    ["net", "host"],
    ["network", "mine"],
    ["pid", "host"],
    ["ipc", "host"],
  ])("%s=%s is the task's", (key, value) => expect(withOption(key, value)).not.toThrow());
});

describe("networks and ports", () => {
  const bridge = { network: Network.BRIDGE };
  it("has the host's network by default, and others by name", () => {
    const mode = (container: object, docker: object) => plan({ container, docker }).request.HostConfig.NetworkMode;
    expect(mode({}, bridge)).toBe("bridge");
    expect(mode({}, { network: Network.NONE })).toBe("none");
    expect(mode({ networkInfos: [{ name: "weave" }] }, { network: Network.USER })).toBe("weave");
    expect(mode({}, { ...bridge, parameters: [{ key: "net", value: "own" }] })).toBe("own");
  });
  it("maps ports that the task has", () => {
    const mapping = (hostPort: number, protocol?: string) => ({
      hostPort,
      containerPort: 80,
      ...(protocol ? { protocol } : {}),
    });
    const docker = { ...bridge, portMappings: [mapping(31000), mapping(31001), mapping(31002, "UDP")] };
    const { request } = plan({ docker, resources: [ports(31000, 31002)] });
    expect(request.ExposedPorts).toEqual({ "80/tcp": {}, "80/udp": {} });
    expect(request.HostConfig.PortBindings).toEqual({
      "80/tcp": [
        { HostIp: "", HostPort: "31000" },
        { HostIp: "", HostPort: "31001" },
      ],
      "80/udp": [{ HostIp: "", HostPort: "31002" }],
    });
  });
  const portMappings = [{ hostPort: 5, containerPort: 80 }];
  it.each([
    [{ docker: { portMappings } }, /only supported for bridge and user-defined/],
    [{ docker: { ...bridge, portMappings } }, /Port mappings require port resources/],
    [{ docker: { ...bridge, portMappings }, resources: [ports(6, 7)] }, /Port \[5\] not included in resources/],
    [{ docker: { network: Network.USER } }, /needs the network's name/],
    [
      { docker: { network: Network.USER }, container: { networkInfos: [{ name: "a" }, { name: "b" }] } },
      /single network_infos/,
    ],
    [{ container: { hostname: "h" } }, /Unable to set hostname with host network mode/],
    [{ command: { value: undefined } }, /Shell specified but no command value/],
    [{ docker: { image: "" } }, /not the name of an image/],
  ] as [Wishes, RegExp][])("refuses %#", (wishes, message) => expect(() => plan(wishes)).toThrow(message));

  it("adds default DNS for bridge and user networks, unless the task has its own", () => {
    const dns = parseContainerDns({
      docker: [
        { network_mode: "BRIDGE", dns: { nameservers: ["1.1.1.1"], search: ["b"], options: ["o"] } },
        { network_mode: "USER", network_name: "weave", dns: { nameservers: ["2.2.2.2"] } },
        { network_mode: "USER", dns: { nameservers: ["3.3.3.3"] } },
      ],
    });
    const of = (docker: object, container = {}) => plan({ docker, container, context: { dns } }).request.HostConfig;
    expect(of(bridge)).toMatchObject({ Dns: ["1.1.1.1"], DnsSearch: ["b"], DnsOptions: ["o"] });
    const user = { network: Network.USER };
    expect(of(user, { networkInfos: [{ name: "weave" }] }).Dns).toEqual(["2.2.2.2"]);
    expect(of(user, { networkInfos: [{ name: "other" }] }).Dns).toEqual(["3.3.3.3"]);
    expect(of({}).Dns).toBeUndefined();
    expect(of({ ...bridge, parameters: [{ key: "dns", value: "9.9.9.9" }] }).Dns).toEqual(["9.9.9.9"]);
    expect(() => parseContainerDns({ docker: [{ network_mode: "MOON", dns: {} }] })).toThrow(
      /default_container_dns: docker.0.network_mode/,
    );
  });
});

describe("persistent volumes", () => {
  const volume = (containerPath: string, mode: Volume_Mode = Volume_Mode.RW): Resource =>
    create(ResourceSchema, {
      name: "disk",
      type: Value_Type.SCALAR,
      scalar: { value: 10 },
      role: "web",
      disk: { persistence: { id: "data" }, volume: { containerPath, mode } },
    });

  it("lie in the work_dir and are shown below the sandbox", () => {
    const resources = [volume("kept/here"), volume("seen", Volume_Mode.RO)];
    expect(plan({ resources }).request.HostConfig.Mounts).toEqual([
      bind("/work/runs/cid", "/mnt/mesos/sandbox"),
      bind("/w/volumes/roles/web/data", "/mnt/mesos/sandbox/kept/here"),
      { ...bind("/w/volumes/roles/web/data", "/mnt/mesos/sandbox/seen"), ReadOnly: true },
    ]);
  });

  it.each(["/etc", "..", "../up", "."])("at %s are refused", (path) => {
    expect(() => plan({ resources: [volume(path)] })).toThrow(/not within the sandbox/);
  });
});
