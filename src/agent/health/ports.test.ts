import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { CommandInfoSchema, ContainerInfoSchema, ResourceSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { withContainerPorts } from "./ports.ts";

const check = (...variables: [string, string][]) =>
  create(CommandInfoSchema, {
    value: "true",
    user: "nobody",
    environment: { variables: variables.map(([name, value]) => ({ name, value })) },
  });
const ports = (...ranges: [number, number][]) => [
  create(ResourceSchema, {
    name: "ports",
    type: 1,
    ranges: { range: ranges.map(([begin, end]) => ({ begin: BigInt(begin), end: BigInt(end) })) },
  }),
];
const seen = (command: ReturnType<typeof check>) =>
  (command.environment?.variables ?? []).map(({ name, value }) => `${name}=${value}`);
const nothing = { container: undefined, resources: [], command: undefined };

it("are those of the container where ports are mapped, in their order", () => {
  const mappings = [
    { hostPort: 31000, containerPort: 80 },
    { hostPort: 31001, containerPort: 443 },
  ];
  const docker = create(ContainerInfoSchema, { type: 1, docker: { image: "i", portMappings: mappings } });
  const named = create(ContainerInfoSchema, { type: 2, networkInfos: [{ name: "cni", portMappings: mappings }] });
  for (const container of [docker, named]) {
    const made = withContainerPorts(check(["A", "1"]), { ...nothing, container, resources: ports([31000, 31001]) });
    expect(seen(made)).toEqual(["A=1", "CONTAINER_PORT0=80", "CONTAINER_PORT1=443"]);
    expect([made.value, made.user]).toEqual(["true", "nobody"]);
  }
});

it("are the task's own where none are mapped, however many it has", () => {
  const made = withContainerPorts(check(), { ...nothing, resources: ports([31000, 31001], [31005, 31005]) });
  expect(seen(made)).toEqual(["CONTAINER_PORT0=31000", "CONTAINER_PORT1=31001", "CONTAINER_PORT2=31005"]);
  expect(seen(withContainerPorts(check(), { ...nothing, resources: ports([1, 65_535]) }))).toHaveLength(100);
});

it("leave what the check or the task sets itself, and a check without ports as it is", () => {
  const resources = ports([31000, 31001]);
  const task = { ...nothing, resources, command: check(["CONTAINER_PORT1", "mine"]) };
  expect(seen(withContainerPorts(check(["CONTAINER_PORT0", "its"]), task))).toEqual(["CONTAINER_PORT0=its"]);
  const plain = check();
  expect(withContainerPorts(plain, nothing)).toBe(plain);
});
