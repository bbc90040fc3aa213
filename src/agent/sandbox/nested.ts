import { basename, dirname } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { TaskFailure } from "../model/failure.ts";
import { HeldFolder, type HeldOwner } from "../model/held/folder.ts";
import { removeTree } from "../model/held/removal.ts";
import type { SandboxPlace } from "../model/held/sandbox.ts";

/** As other sandboxes; those above are the agent's, for whoever may look into the outermost one. */
const [SANDBOX_MODE, FOLDER_MODE] = [0o750, 0o755];

/** Where the outermost folder that is the agent's own is, and the way from there. */
function wayTo({ sandbox, within = sandbox }: SandboxPlace): { readonly root: string; readonly way: string } {
  // A container that stands alone: its own folder lies in one of the agent's.
  if (within === sandbox) return { root: dirname(dirname(sandbox)), way: sandbox.split("/").slice(-2).join("/") };
  return { root: within, way: sandbox.slice(within.length + 1) };
}

/**
 * Makes the sandbox of a container that is nested or stands alone, for `owner`; one of an ended container by the same id is
 * used again. Through no link: whoever owns the outermost sandbox may have put one there. Throws a TaskFailure.
 */
export function createNestedSandbox(place: SandboxPlace, owner: HeldOwner | undefined): void {
  const { root, way } = wayTo(place);
  try {
    using outer = HeldFolder.open(root);
    using above = outer.walk(dirname(way), { mode: FOLDER_MODE });
    const name = basename(way);
    if (above.look(name) === undefined) above.make(name, SANDBOX_MODE, owner).close();
    else above.folder(name).close();
  } catch (error) {
    throw TaskFailure.launch(`Failed to create nested sandbox '${place.sandbox}': ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Removes such a sandbox with everything in it; one that is not there is fine. Rejects with an Error that says what is left. */
export async function removeNestedSandbox(place: SandboxPlace): Promise<void> {
  const { root, way } = wayTo(place);
  let above: HeldFolder;
  try {
    using outer = HeldFolder.open(root);
    above = outer.walk(dirname(way));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return;
    throw error;
  }
  using held = above;
  await removeTree(held, basename(way));
}
