import { describe, expect, it } from "vitest";
import { TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerChain } from "../../model/nested.ts";
import { type ContainerNode, ContainerTree, type NodeKind } from "./tree.ts";

/** A tree whose containers end when they are killed; `killed` names them in order. */
function growing() {
  const tree = new ContainerTree();
  const killed: string[] = [];
  const add = (chain: ContainerChain, kind: NodeKind = chain.length === 1 ? "executor" : "nested"): ContainerNode => {
    const node: ContainerNode = tree.add({
      ...{ chain, kind, place: { sandbox: `/${chain.join("/")}` }, user: undefined, groupsOf: chain[0] },
      kill: () => {
        killed.push(node.key);
        node.ended({ status: 9 });
      },
    });
    node.move("running");
    return node;
  };
  return { tree, killed, add };
}

describe("the end of a container", () => {
  it("ends those within it, the deepest first", async () => {
    const { tree, killed, add } = growing();
    const root = add(["r"]);
    for (const chain of [
      ["r", "a"],
      ["r", "a", "b"],
      ["r", "a", "b", "c"],
      ["r", "d"],
    ] as const)
      add(chain);
    await tree.end(root);
    expect(killed.at(-1)).toBe("r");
    expect(killed.indexOf("r.a.b.c")).toBeLessThan(killed.indexOf("r.a.b"));
    expect(killed.indexOf("r.a.b")).toBeLessThan(killed.indexOf("r.a"));
    expect(killed).toContain("r.d");
  });

  it("ends those within it when it came by itself, before it is told", async () => {
    const { tree, killed, add } = growing();
    const root = add(["r"]);
    add(["r", "a"]);
    await tree.ending("r");
    expect([killed, root.phase]).toEqual([["r.a"], "destroying"]);
  });

  it("waits for nobody when nothing within it is live", () => {
    const { tree, add } = growing();
    add(["r"]);
    add(["r", "a"]).ended({ status: 0 });
    expect(tree.ending("r")).toBeUndefined();
    expect(tree.ending("unknown")).toBeUndefined();
  });

  it("comes with the reason of a limit", async () => {
    const { tree, add } = growing();
    const root = add(["r"]);
    const limitation = { reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY, message: "m", resources: [] };
    tree.limited("r", limitation);
    await root.termination;
    expect(root.limitation).toBe(limitation);
  });

  it("is told once: the first word holds", async () => {
    const { add } = growing();
    const node = add(["r"]);
    node.ended({ status: 1 });
    node.ended({ status: 2 });
    expect(await node.termination).toEqual({ status: 1 });
    expect(() => node.move("running")).toThrow("cannot go from ended to running");
  });
});

describe("what is remembered", () => {
  it("goes with the container, the deepest first", () => {
    const { tree, add } = growing();
    const root = add(["r"]);
    add(["r", "a"]);
    add(["r", "a", "b"]);
    expect(tree.remove(root).map(({ key }) => key)).toEqual(["r.a.b", "r.a", "r"]);
    expect([...tree.nodes()]).toEqual([]);
  });

  it("of ended sessions are the newest 256", () => {
    const { tree, add } = growing();
    const root = add(["r"]);
    const open = add(["r", "open"], "session");
    for (let index = 0; index < 400; index++) add(["r", `s${index}`], "session").ended({ status: 0 });
    add(["r", "last"], "session");
    expect(tree.childrenOf(root).size).toBe(256 + 2);
    expect(tree.get(["r", "s0"])).toBeUndefined();
    expect([tree.get(["r", "s399"]), tree.get(["r", "open"])]).toEqual([expect.anything(), open]);
  });
});
