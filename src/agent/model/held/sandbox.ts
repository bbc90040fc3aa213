import { pid } from "node:process";
import { HeldFolder } from "./folder.ts";

/** Where a sandbox is. Whoever owns the outermost one can rename and link whatever is on the way below it. */
export interface SandboxPlace {
  /** Absolute path. */
  readonly sandbox: string;
  /** The outermost sandbox that it lies in, which the agent made in folders of its own; absent: itself. */
  readonly within?: string | undefined;
}

/** Opens a sandbox: that of a nested container from the outermost one on, name by name and through no link. */
export function holdSandbox({ sandbox, within }: SandboxPlace): HeldFolder {
  if (within === undefined || within === sandbox) return HeldFolder.open(sandbox);
  using outer = HeldFolder.open(within);
  return outer.walk(sandbox.slice(within.length + 1));
}

/** The way by which another process of root reaches a held folder, as long as it is held. */
export const reachedBy = (folder: HeldFolder): string => `/proc/${pid}/fd/${folder.fd}`;
