import type { ContainerTermination } from "../../model/container.ts";
import type { SandboxPlace } from "../../model/held/sandbox.ts";
import type { Limitation } from "../../model/isolation.ts";
import { type ContainerChain, chainText, keyOf } from "../../model/nested.ts";

/**
 * A container in the tree:
 *
 *   launching ──▶ running ──▶ destroying ──▶ ended
 *       │            └──────────────────────▲
 *       └── asked to end ──▶ destroying      │
 *       └── could not be started ────────────┘
 */
export type NodePhase = "launching" | "running" | "destroying" | "ended";

const MOVES: Readonly<Record<NodePhase, readonly NodePhase[]>> = {
  launching: ["running", "destroying", "ended"],
  running: ["destroying", "ended"],
  destroying: ["ended"],
  ended: [],
};

/** executor: an executor's own · standalone: no executor's · nested: within another · session: nested, with a terminal or pipes. */
export type NodeKind = "executor" | "standalone" | "nested" | "session";

export interface NodeInit {
  readonly chain: ContainerChain;
  readonly kind: NodeKind;
  readonly place: SandboxPlace;
  /** undefined: the agent's own. */
  readonly user: string | undefined;
  /** The container whose control groups it runs in: itself, or one above it. */
  readonly groupsOf: string;
  /** It is there for what is within it, and has no process of its own. */
  readonly isProcessless?: boolean;
  /** Ends everything of it, but not what is within it. It tells its end by `ended`. */
  readonly kill: () => void;
  /** To its first process; absent: the processes' containerizer sends it. */
  readonly signal?: (signal: number) => void;
}

export class ContainerNode {
  readonly chain: ContainerChain;
  readonly key: string;
  readonly kind: NodeKind;
  readonly place: SandboxPlace;
  readonly user: string | undefined;
  readonly groupsOf: string;
  readonly isProcessless: boolean;
  readonly kill: () => void;
  readonly signal: ((signal: number) => void) | undefined;
  readonly termination: Promise<ContainerTermination>;
  /** Why it is ended, when that is not its own doing. */
  limitation: Limitation | undefined;
  readonly #resolve: (termination: ContainerTermination) => void;
  #phase: NodePhase = "launching";

  constructor(init: NodeInit) {
    const { promise, resolve } = Promise.withResolvers<ContainerTermination>();
    this.chain = init.chain;
    this.key = keyOf(init.chain);
    this.kind = init.kind;
    this.place = init.place;
    this.user = init.user;
    this.groupsOf = init.groupsOf;
    this.isProcessless = init.isProcessless ?? false;
    this.kill = init.kill;
    this.signal = init.signal;
    this.termination = promise;
    this.#resolve = resolve;
  }

  get phase(): NodePhase {
    return this.#phase;
  }

  get isLive(): boolean {
    return this.#phase !== "ended";
  }

  /** A move that the table does not have is a defect of ours. */
  move(to: NodePhase): void {
    if (this.#phase === to) return;
    if (!MOVES[this.#phase].includes(to))
      throw new Error(`container ${chainText(this.chain)} cannot go from ${this.#phase} to ${to}`);
    this.#phase = to;
  }

  /** It has ended; the first word holds. */
  ended(termination: ContainerTermination): void {
    if (!this.isLive) return;
    this.move("ended");
    this.#resolve(termination);
  }
}

/** Sessions that have ended are remembered for who asks how; of each outermost container so many, the newest. */
const MOST_ENDED_SESSIONS = 256;

/** All containers of the containerizer, each below its parent. */
export class ContainerTree {
  readonly #nodes = new Map<string, ContainerNode>();
  readonly #children = new Map<string, Set<ContainerNode>>();

  get(chain: ContainerChain): ContainerNode | undefined {
    return this.#nodes.get(keyOf(chain));
  }

  /** The container that this one is in. */
  parentOf({ chain }: ContainerNode): ContainerNode | undefined {
    const [first, ...rest] = chain.slice(0, -1);
    return first === undefined ? undefined : this.get([first, ...rest]);
  }

  nodes(): Iterable<ContainerNode> {
    return this.#nodes.values();
  }

  add(init: NodeInit): ContainerNode {
    const node = new ContainerNode(init);
    this.#nodes.set(node.key, node);
    const parent = keyOfParent(node);
    if (parent === undefined) return node;
    const siblings = this.#children.get(parent) ?? new Set();
    siblings.add(node);
    this.#children.set(parent, siblings);
    if (node.kind === "session") this.#forgetOldSessions(siblings);
    return node;
  }

  #forgetOldSessions(siblings: ReadonlySet<ContainerNode>): void {
    const over = [...siblings].filter(({ kind, isLive }) => kind === "session" && !isLive);
    for (const node of over.slice(0, -MOST_ENDED_SESSIONS)) this.remove(node);
  }

  /** Forgets it with all within it; they have ended. Returns them, the deepest first. */
  remove(node: ContainerNode): ContainerNode[] {
    const gone = [...this.childrenOf(node)].flatMap((child) => this.remove(child));
    this.#nodes.delete(node.key);
    this.#children.delete(node.key);
    const parent = keyOfParent(node);
    if (parent !== undefined) this.#children.get(parent)?.delete(node);
    return [...gone, node];
  }

  childrenOf(node: ContainerNode): ReadonlySet<ContainerNode> {
    return this.#children.get(node.key) ?? new Set();
  }

  /** Ends it: first what is within it, the deepest first. Resolves when all of it has ended. */
  async end(node: ContainerNode): Promise<void> {
    if (!node.isLive) return;
    node.move("destroying");
    await this.endWithin(node);
    node.kill();
    await node.termination;
  }

  /** Ends what is within it; undefined when nothing there is live. Nothing is launched in it from then on. */
  endWithin(node: ContainerNode): Promise<void> | undefined {
    if (node.isLive) node.move("destroying");
    const live = [...this.childrenOf(node)].filter((child) => child.isLive);
    if (live.length === 0) return undefined;
    return Promise.all(live.map((child) => this.end(child))).then(() => undefined);
  }

  /** A container's own processes have ended; what it is known by is its key. */
  ending(key: string): Promise<void> | undefined {
    const node = this.#nodes.get(key);
    return node === undefined ? undefined : this.endWithin(node);
  }

  /** A container without a process went over a limit: it ends with all in it. */
  limited(key: string, limitation: Limitation): void {
    const node = this.#nodes.get(key);
    if (node === undefined || !node.isLive) return;
    node.limitation ??= limitation;
    void this.end(node);
  }
}

function keyOfParent({ chain }: ContainerNode): string | undefined {
  const [first, ...rest] = chain.slice(0, -1);
  return first === undefined ? undefined : keyOf([first, ...rest]);
}
