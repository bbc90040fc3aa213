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

/** A folder for a process of root to go to; a held one by its descriptor, as long as it is not disposed of. */
export interface WorkingPlace extends Disposable {
  readonly cwd: string;
}

/** Where the processes of a sandbox begin. */
export function workingPlace(place: SandboxPlace): WorkingPlace {
  if (place.within === undefined) return { cwd: place.sandbox, [Symbol.dispose]: () => undefined };
  const held = holdSandbox(place);
  return { cwd: `/proc/${pid}/fd/${held.fd}`, [Symbol.dispose]: () => held.close() };
}
