import { SharedRun } from "../../base/shared-run.ts";
import type { AgentView } from "./view.ts";

/**
 * The bytes that `make` makes of a view, once for all who ask at the same time and see the same: they wait for the same turns
 * anyway.
 */
export function sharedBody(make: (view: AgentView) => Promise<Buffer>): (view: AgentView) => Promise<Buffer> {
  const bodies = new WeakMap<AgentView, SharedRun<Buffer>>();
  return (view) => {
    let run = bodies.get(view);
    if (run === undefined) {
      run = new SharedRun(() => make(view));
      bodies.set(view, run);
    }
    return run.get();
  };
}
