import type { ShownSandboxes } from "../../model/shown-sandboxes.ts";
import type { Stage } from "./stage.ts";

/** Makes sandboxes. */
export interface Sandboxes {
  /** A sandbox that belongs to `user` (undefined: the agent's own), and the link to the newest one. */
  create(directory: string, user: string | undefined): void | Promise<void>;
}

/** The folder that the task works in, and its place among the files that the agent shows. */
export const sandboxStage = (sandboxes: Sandboxes, shown: ShownSandboxes): Stage => ({
  name: "sandbox",
  prepare: ({ framework, executor, user }) => {
    shown.attach(framework, executor);
    return sandboxes.create(executor.directory, user);
  },
  recover: ({ framework, executor }) => shown.attach(framework, executor),
});
