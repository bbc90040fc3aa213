import { create } from "@bufbuild/protobuf";
import { type ContainerID, ContainerIDSchema } from "./gen/mesos/v1/mesos_pb.ts";

/** A container's id with those of its parents, the outermost first. */
export type ContainerChain = readonly [string, ...string[]];

/** The chain of an id as messages have it. */
export function chainOf({ value, parent }: ContainerID): ContainerChain {
  return parent === undefined ? [value] : [...chainOf(parent), value];
}

export function containerIdOf(chain: ContainerChain): ContainerID {
  const [root, ...below] = chain;
  return below.reduce(
    (parent, value) => create(ContainerIDSchema, { value, parent }),
    create(ContainerIDSchema, { value: root }),
  );
}

/** As Mesos writes it in messages: `parent.child`. */
export const chainText = (chain: ContainerChain): string => chain.join(".");
