import { closeSync, writeSync } from "node:fs";
import { formatLine, oneLine } from "../../base/glog-line.ts";
import { HeldFolder } from "../model/held/folder.ts";

/**
 * Says in a sandbox's stderr why its container never ran, and sees that stdout and stderr are there: they are what the
 * master's web page opens, and where people look first. Both are the sandbox's owner's; what is in them stays. Throws a
 * system error, or a NotHeld for what is no file.
 */
export function noteLaunchFailure(sandbox: string, message: string, time: number, pid: number): void {
  using folder = HeldFolder.open(sandbox);
  const options = { access: "append", create: 0o644, owner: folder.stat() } as const;
  closeSync(folder.file("stdout", options));
  const file = folder.file("stderr", options);
  try {
    const line = { severity: "ERROR", time, threadId: pid, source: "launch.ts", line: 0 } as const;
    writeSync(file, formatLine({ ...line, message: oneLine(message) }));
  } finally {
    closeSync(file);
  }
}
