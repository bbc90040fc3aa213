import { flatText } from "../../../base/flat-text.ts";
import type { FileOwner } from "./owner.ts";

/** The runs of an executor. */
interface Runs {
  /** The container id of that which `latest` stands for. */
  latest: string | undefined;
  owner: FileOwner;
  /** Others, with their owners. */
  past: Map<string, FileOwner> | undefined;
}

/** A path apart: `<folder>/<executor>/runs/<run>`. */
interface RunPath {
  readonly folder: string;
  readonly executorId: string;
  readonly run: string;
}

/** What stands before an executor in the names that begin with its framework. */
const FRAMEWORK = /\/frameworks\/[^/]+\/executors$/;
const RUNS = "/runs";

/** The folder, and the last name in it. */
function halves(path: string): readonly [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
}

/** Looks at the last three names only: anybody may ask for a long path, and each of its folders is looked for. */
function parsed(path: string): RunPath | undefined {
  const [runs, run] = halves(path);
  if (run === "" || !runs.endsWith(RUNS)) return undefined;
  const [folder, executorId] = halves(runs.slice(0, -RUNS.length));
  return executorId === "" ? undefined : { folder, executorId, run };
}

/**
 * The sandboxes of executors, each under the names that masters and tools use: its own path, `latest` beside it, and
 * `/frameworks/<framework>/executors/<executor>/runs/latest`. The names are made when somebody asks: there may be 100,000
 * that wait for their removal, and this is 200 bytes for each.
 */
export class ShownRuns {
  /** Of each folder of executors: their runs by id. */
  readonly #executors = new Map<string, Map<string, Runs>>();
  /** The folder behind `/frameworks/<framework>/executors`. */
  readonly #behind = new Map<string, string>();
  /** One object for each that is alike. */
  readonly #owners = new Map<string, FileOwner>();

  /** `directory` ends with `<executor>/runs/<container>`: a sandbox as model/paths.ts names it. Throws for any other. */
  attach(directory: string, owner: FileOwner, { isLatest }: { readonly isLatest: boolean }): void {
    const path = parsed(directory);
    if (path === undefined) throw new Error(`${directory} is not the sandbox of a run`);
    const runs = this.#runsFor(path, owner);
    const own = this.#own(owner);
    if (!isLatest) {
      if (runs.latest !== path.run) runs.past = (runs.past ?? new Map()).set(flatText(path.run), own);
      return;
    }
    this.#nameByFramework(path.folder);
    if (runs.latest !== path.run) {
      if (runs.latest !== undefined) runs.past = (runs.past ?? new Map()).set(runs.latest, runs.owner);
      runs.latest = flatText(path.run);
      this.#forgetPast(runs, path.run);
    }
    runs.owner = own;
  }

  /** The sandbox that a virtual path shows. */
  realOf(virtual: string): string | undefined {
    const path = parsed(virtual);
    if (path === undefined) return undefined;
    const { executorId, run } = path;
    const behind = this.#behind.get(path.folder);
    if (behind !== undefined && run !== "latest") return undefined;
    const folder = behind ?? path.folder;
    const runs = this.#executors.get(folder)?.get(executorId);
    const id = run === "latest" ? runs?.latest : run;
    const isShown = id !== undefined && (id === runs?.latest || runs?.past?.has(id) === true);
    return isShown ? `${folder}/${executorId}/runs/${id}` : undefined;
  }

  /** Whose a sandbox is, by its own path. */
  ownerOf(real: string): FileOwner | undefined {
    const path = parsed(real);
    const runs = path && this.#executors.get(path.folder)?.get(path.executorId);
    if (path === undefined || runs === undefined) return undefined;
    return runs.latest === path.run ? runs.owner : runs.past?.get(path.run);
  }

  /** Takes away what is at `real` or below it, under all its names. */
  detachBelow(real: string): void {
    const path = parsed(real);
    if (path !== undefined) this.#detachRun(path);
    this.#detachExecutor(...halves(real));
    if (real.endsWith(RUNS)) this.#detachExecutor(...halves(real.slice(0, -RUNS.length)));
    for (const folder of [...this.#executors.keys()])
      if (folder === real || folder.startsWith(`${real}/`)) this.#forgetFolder(folder);
  }

  /** Virtual paths and where they lead, in no order. */
  *entries(): Generator<[string, string]> {
    for (const [folder, executors] of this.#executors) {
      const names = [folder, ...[...this.#behind].flatMap(([name, behind]) => (behind === folder ? [name] : []))];
      for (const [executorId, { latest, past }] of executors) {
        const realOf = (id: string): string => `${folder}/${executorId}/runs/${id}`;
        for (const id of [...(latest === undefined ? [] : [latest]), ...(past?.keys() ?? [])])
          yield [realOf(id), realOf(id)];
        if (latest !== undefined) for (const name of names) yield [`${name}/${executorId}/runs/latest`, realOf(latest)];
      }
    }
  }

  #runsFor({ folder, executorId }: RunPath, owner: FileOwner): Runs {
    let executors = this.#executors.get(folder);
    if (executors === undefined) {
      executors = new Map();
      this.#executors.set(flatText(folder), executors);
    }
    let runs = executors.get(executorId);
    if (runs === undefined) {
      runs = { latest: undefined, owner: this.#own(owner), past: undefined };
      executors.set(flatText(executorId), runs);
    }
    return runs;
  }

  #nameByFramework(folder: string): void {
    const name = FRAMEWORK.exec(folder)?.[0];
    if (name !== undefined && this.#behind.get(name) !== folder) this.#behind.set(flatText(name), flatText(folder));
  }

  #own(owner: FileOwner): FileOwner {
    const key = JSON.stringify(owner);
    const known = this.#owners.get(key) ?? owner;
    this.#owners.set(key, known);
    return known;
  }

  #detachRun({ folder, executorId, run }: RunPath): void {
    const runs = this.#executors.get(folder)?.get(executorId);
    if (runs === undefined) return;
    if (runs.latest === run) runs.latest = undefined;
    else this.#forgetPast(runs, run);
    if (runs.latest === undefined && runs.past === undefined) this.#detachExecutor(folder, executorId);
  }

  #forgetPast(runs: Runs, run: string): void {
    runs.past?.delete(run);
    if (runs.past?.size === 0) runs.past = undefined;
  }

  #detachExecutor(folder: string, executorId: string): void {
    const executors = this.#executors.get(folder);
    if (executors?.delete(executorId) === true && executors.size === 0) this.#forgetFolder(folder);
  }

  #forgetFolder(folder: string): void {
    this.#executors.delete(folder);
    for (const [name, behind] of this.#behind) if (behind === folder) this.#behind.delete(name);
  }
}
