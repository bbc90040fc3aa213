import { Column } from "../../../base/column.ts";
import { flatText } from "../../../base/flat-text.ts";
import { PackedTexts, TextPool } from "../../../base/packed-texts.ts";
import type { FileOwner } from "./owner.ts";

/** A folder of executors, and the first of those that are known, as 1 more. */
interface Folder {
  readonly text: string;
  readonly number: number;
  first: number;
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

/** The end of a chain and no run: numbers are written as 1 more in columns where there may be none. */
const NONE = 0;

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
 * that wait for their removal, and this is 90 bytes for each, all of them where the collector does not look.
 */
export class ShownRuns {
  readonly #folders = new Map<string, Folder>();
  #folderNumbers = 0;
  readonly #freeFolders: number[] = [];
  /** The folder behind `/frameworks/<framework>/executors`. */
  readonly #behind = new Map<string, string>();
  /** One object for each that is alike, and its number. */
  readonly #owners = new Map<string, number>();
  readonly #ownerAt: FileOwner[] = [];
  /** Executors, each behind the number of its folder. */
  readonly #executors = new PackedTexts();
  readonly #ids = new TextPool();
  /** Of each executor: its neighbours in its folder, the number of the container id that `latest` stands for, and whose that is. */
  readonly #next = Column.ofCounts();
  readonly #before = Column.ofCounts();
  readonly #latest = Column.ofCounts();
  readonly #owner = Column.ofCounts();
  /** Runs before the latest, with their owners, of the executors that have some. */
  readonly #past = new Map<number, Map<string, FileOwner>>();

  /** `directory` ends with `<executor>/runs/<container>`: a sandbox as model/paths.ts names it. Throws for any other. */
  attach(directory: string, owner: FileOwner, { isLatest }: { readonly isLatest: boolean }): void {
    const path = parsed(directory);
    if (path === undefined) throw new Error(`${directory} is not the sandbox of a run`);
    const executor = this.#executorFor(path);
    const own = this.#own(owner);
    const latest = this.#latestOf(executor);
    if (!isLatest) {
      if (latest !== path.run) this.#addPast(executor, path.run, this.#ownerAt[own] as FileOwner);
      return;
    }
    this.#nameByFramework(path.folder);
    if (latest !== path.run) {
      if (latest !== undefined) this.#addPast(executor, latest, this.#ownerOfLatest(executor));
      this.#setLatest(executor, path.run);
      this.#forgetPast(executor, path.run);
    }
    this.#owner.set(executor, own);
  }

  /** The sandbox that a virtual path shows. */
  realOf(virtual: string): string | undefined {
    const path = parsed(virtual);
    if (path === undefined) return undefined;
    const { executorId, run } = path;
    const behind = this.#behind.get(path.folder);
    if (behind !== undefined && run !== "latest") return undefined;
    const folder = behind ?? path.folder;
    const executor = this.#find(folder, executorId);
    if (executor === undefined) return undefined;
    const latest = this.#latestOf(executor);
    const id = run === "latest" ? latest : run;
    const isShown = id !== undefined && (id === latest || this.#past.get(executor)?.has(id) === true);
    return isShown ? `${folder}/${executorId}/runs/${id}` : undefined;
  }

  /** Whose a sandbox is, by its own path. */
  ownerOf(real: string): FileOwner | undefined {
    const path = parsed(real);
    const executor = path && this.#find(path.folder, path.executorId);
    if (path === undefined || executor === undefined) return undefined;
    return this.#latestOf(executor) === path.run
      ? this.#ownerOfLatest(executor)
      : this.#past.get(executor)?.get(path.run);
  }

  /** Takes away what is at `real` or below it, under all its names. */
  detachBelow(real: string): void {
    const path = parsed(real);
    if (path !== undefined) this.#detachRun(path);
    this.#detachExecutor(...halves(real));
    if (real.endsWith(RUNS)) this.#detachExecutor(...halves(real.slice(0, -RUNS.length)));
    for (const [text, folder] of [...this.#folders])
      if (text === real || text.startsWith(`${real}/`))
        while (folder.first !== NONE) this.#forget(folder, folder.first - 1);
  }

  /** Virtual paths and where they lead, in no order. */
  *entries(): Generator<[string, string]> {
    for (const [text, { first }] of this.#folders) {
      const names = [text, ...[...this.#behind].flatMap(([name, behind]) => (behind === text ? [name] : []))];
      for (let next = first; next !== NONE; next = this.#next.get(next - 1) as number) {
        const executorId = this.#idOf(next - 1);
        const latest = this.#latestOf(next - 1);
        const realOf = (id: string): string => `${text}/${executorId}/runs/${id}`;
        for (const id of [...(latest === undefined ? [] : [latest]), ...(this.#past.get(next - 1)?.keys() ?? [])])
          yield [realOf(id), realOf(id)];
        if (latest !== undefined) for (const name of names) yield [`${name}/${executorId}/runs/latest`, realOf(latest)];
      }
    }
  }

  #find(folder: string, executorId: string): number | undefined {
    const known = this.#folders.get(folder);
    return known && this.#executors.find(`${known.number}/${executorId}`);
  }

  #idOf(executor: number): string {
    const text = this.#executors.text(executor);
    return text.slice(text.indexOf("/") + 1);
  }

  #executorFor({ folder: text, executorId }: RunPath): number {
    let folder = this.#folders.get(text);
    if (folder === undefined) {
      folder = { text: flatText(text), number: this.#freeFolders.pop() ?? this.#folderNumbers++, first: NONE };
      this.#folders.set(folder.text, folder);
    }
    const key = `${folder.number}/${executorId}`;
    const known = this.#executors.find(key);
    if (known !== undefined) return known;
    const executor = this.#executors.add(key);
    for (const column of [this.#before, this.#latest, this.#owner]) column.set(executor, NONE);
    this.#next.set(executor, folder.first);
    if (folder.first !== NONE) this.#before.set(folder.first - 1, executor + 1);
    folder.first = executor + 1;
    return executor;
  }

  #nameByFramework(folder: string): void {
    const name = FRAMEWORK.exec(folder)?.[0];
    if (name !== undefined && this.#behind.get(name) !== folder) this.#behind.set(flatText(name), flatText(folder));
  }

  #own(owner: FileOwner): number {
    const key = JSON.stringify(owner);
    const known = this.#owners.get(key);
    if (known !== undefined) return known;
    this.#owners.set(key, this.#ownerAt.length);
    return this.#ownerAt.push(owner) - 1;
  }

  #ownerOfLatest(executor: number): FileOwner {
    return this.#ownerAt[this.#owner.get(executor) as number] as FileOwner;
  }

  #latestOf(executor: number): string | undefined {
    const latest = this.#latest.get(executor) as number;
    return latest === NONE ? undefined : this.#ids.text(latest - 1);
  }

  #setLatest(executor: number, run: string | undefined): void {
    const latest = this.#latest.get(executor) as number;
    if (latest !== NONE) this.#ids.delete(latest - 1);
    this.#latest.set(executor, run === undefined ? NONE : this.#ids.add(run) + 1);
  }

  #addPast(executor: number, run: string, owner: FileOwner): void {
    const past = this.#past.get(executor) ?? new Map<string, FileOwner>();
    this.#past.set(executor, past.set(flatText(run), owner));
  }

  #forgetPast(executor: number, run: string): void {
    const past = this.#past.get(executor);
    if (past?.delete(run) === true && past.size === 0) this.#past.delete(executor);
  }

  #detachRun({ folder, executorId, run }: RunPath): void {
    const executor = this.#find(folder, executorId);
    if (executor === undefined) return;
    if (this.#latestOf(executor) === run) this.#setLatest(executor, undefined);
    else this.#forgetPast(executor, run);
    if (this.#latest.get(executor) === NONE && !this.#past.has(executor)) this.#detachExecutor(folder, executorId);
  }

  #detachExecutor(text: string, executorId: string): void {
    const folder = this.#folders.get(text);
    const executor = this.#find(text, executorId);
    if (folder !== undefined && executor !== undefined) this.#forget(folder, executor);
  }

  /** Forgets an executor, and its folder with the last of them. */
  #forget(folder: Folder, executor: number): void {
    this.#setLatest(executor, undefined);
    this.#past.delete(executor);
    const [before, next] = [this.#before.get(executor) as number, this.#next.get(executor) as number];
    if (before === NONE) folder.first = next;
    else this.#next.set(before - 1, next);
    if (next !== NONE) this.#before.set(next - 1, before);
    this.#executors.delete(executor);
    if (folder.first !== NONE) return;
    this.#folders.delete(folder.text);
    this.#freeFolders.push(folder.number);
    for (const [name, behind] of this.#behind) if (behind === folder.text) this.#behind.delete(name);
    if (this.#executors.size > 0) return;
    for (const column of [this.#next, this.#before, this.#latest, this.#owner]) column.clear();
  }
}
