import type { ProcessStat, ProcessTable } from "../../src/agent/containerizer/mesos/process-table.ts";

/** Processes that exist only here: children by parent, and every signal that was sent. */
export class FakeProcesses implements ProcessTable {
  readonly #processes = new Map<number, { parent: number; session: number; since: string }>();
  readonly sent: string[] = [];
  /** Called before a signal takes effect. */
  onSignal: (pid: number, signal: NodeJS.Signals) => void = () => undefined;
  readonly environments = new Map<number, Record<string, string>>();

  add(pid: number, parent: number, session = pid, since = "1"): void {
    this.#processes.set(pid, { parent, session, since });
  }

  end(pid: number): void {
    this.#processes.delete(pid);
  }

  stat(pid: number): ProcessStat | undefined {
    const found = this.#processes.get(pid);
    if (found === undefined) return undefined;
    return { pid, ...found, state: "S", userTicks: 100, systemTicks: 50, threads: 2, residentPages: 10 };
  }

  children(pid: number): number[] {
    return [...this.#processes].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  }

  all(): number[] {
    return [...this.#processes.keys()];
  }

  session(id: number): number[] {
    return [...this.#processes].filter(([, { session }]) => session === id).map(([pid]) => pid);
  }

  /** Container ids by the pid of their supervisor. */
  readonly titles = new Map<string, number>();
  readonly directories = new Map<number, string>();

  /** What stands in /proc/<pid>/cgroup. */
  readonly groups = new Map<number, string>();

  controlGroups(pid: number): string {
    return this.groups.get(pid) ?? "";
  }

  directory(pid: number): string | undefined {
    return this.directories.get(pid);
  }

  shims(): ReadonlyMap<string, number> {
    return this.titles;
  }

  environment(pid: number): Record<string, string> | undefined {
    return this.environments.get(pid);
  }

  signal(pid: number, signal: NodeJS.Signals): boolean {
    if (!this.#processes.has(pid)) return false;
    this.onSignal(pid, signal);
    this.sent.push(`${signal} ${pid}`);
    return true;
  }
}
