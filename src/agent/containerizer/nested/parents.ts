import { TaskFailure } from "../../model/failure.ts";
import { type ContainerChain, chainText } from "../../model/nested.ts";
import type { ContainerNode, ContainerTree } from "./tree.ts";

/** Those that a container to be lies in; both undefined for one that stands alone. */
export interface Parents {
  readonly root: ContainerNode | undefined;
  readonly parent: ContainerNode | undefined;
}

/** Throws a TaskFailure when one is not there, or goes. */
export function parentsOf(tree: ContainerTree, chain: ContainerChain): Parents {
  const [first, ...rest] = chain.slice(0, -1);
  if (first === undefined) return { root: undefined, parent: undefined };
  const root = tree.get([first]);
  if (root === undefined) throw TaskFailure.launch(`Root container ${first} not found`);
  const parent = tree.get([first, ...rest]);
  if (parent === undefined || !parent.isLive)
    throw TaskFailure.launch(`Parent container ${[first, ...rest].join(".")} does not exist`);
  if (parent.phase === "destroying")
    throw TaskFailure.launch(`Parent container ${chainText(parent.chain)} is in 'DESTROYING' state`);
  if (parent.kind === "session")
    throw TaskFailure.launch(`Parent container ${chainText(parent.chain)} is a session, in which nothing is launched`);
  return { root, parent };
}
