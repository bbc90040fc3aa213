import { HeldFolder } from "../../model/held/folder.ts";

const FOLDER_MODE = 0o755;

/** `<sandbox>/tasks/<task id>` leads to the sandbox of the task's container, as Mesos' default executor has it. */
export function linkTask(sandbox: string, taskId: string, containerId: string): void {
  using folder = HeldFolder.open(sandbox);
  const owner = folder.stat();
  using tasks = folder.walk("tasks", { mode: FOLDER_MODE, owner });
  if (tasks.look(taskId) !== undefined) tasks.unlink(taskId);
  tasks.symlink(`${sandbox}/containers/${containerId}`, taskId, owner);
}
