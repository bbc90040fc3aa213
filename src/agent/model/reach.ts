import type { FileHandle } from "node:fs/promises";
import type { ContainerAddresses } from "../../docker/engine.ts";

/** How what listens on a container's own loopback is reached. */
export type Reach =
  /** It shares the agent's network. */
  | { readonly kind: "machine" }
  /**
   * Through its network namespace: `net` is open on it, and closed by whoever asked. `addresses`: for an agent that may
   * not enter it.
   */
  | { readonly kind: "namespace"; readonly net: FileHandle; readonly addresses: ContainerAddresses }
  /** Its processes cannot be seen from here: only what listens on its address is found. */
  | { readonly kind: "address"; readonly addresses: ContainerAddresses };
