import { closeSync, fchownSync, fstatSync, ftruncateSync, writeSync } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { formatLine, oneLine, type Severity } from "../../base/glog-line.ts";
import type { HeldFolder, HeldOwner } from "../model/held/folder.ts";
import { holdSandbox, type SandboxPlace } from "../model/held/sandbox.ts";

/**
 * A sandbox's stdout and stderr, opened and emptied once before anything comes into the sandbox. From then on they are
 * these descriptors, whatever an archive puts in the place of their names.
 */
export class SandboxLog implements Disposable {
  readonly sandbox: HeldFolder;
  readonly stdout: number;
  readonly stderr: number;
  readonly #clock: Clock;
  readonly #pid: number;
  #isClosed = false;

  /** Throws the system's error, or a NotHeld when there is something that is no file. */
  constructor(
    place: SandboxPlace,
    owner: HeldOwner | undefined,
    { clock, pid }: { readonly clock: Clock; readonly pid: number },
  ) {
    this.#clock = clock;
    this.#pid = pid;
    this.sandbox = holdSandbox(place);
    try {
      this.stdout = open(this.sandbox, "stdout", owner);
      this.stderr = open(this.sandbox, "stderr", owner);
    } catch (error) {
      this.sandbox.close();
      throw error;
    }
  }

  /** A line in stderr, as glog writes it. Throws when it cannot be written. */
  write(message: string, severity: Severity = "INFO"): void {
    // A download that others wait for goes on after its container: the number may be another file's by then.
    if (this.#isClosed) return;
    const line = {
      severity,
      time: this.#clock.now(),
      threadId: this.#pid,
      source: "fetcher.ts",
      line: 0,
      message: oneLine(message),
    };
    writeSync(this.stderr, formatLine(line));
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.stdout);
    closeSync(this.stderr);
    this.sandbox.close();
  }
}

function open(sandbox: HeldFolder, name: string, owner: HeldOwner | undefined): number {
  const file = sandbox.file(name, { access: "append", create: 0o644, owner });
  ftruncateSync(file, 0);
  if (owner !== undefined && fstatSync(file).uid !== owner.uid) fchownSync(file, owner.uid, owner.gid);
  return file;
}
