/** What becomes of folders that nothing uses any more. */
export interface GarbageCollection {
  /** Deletes the path after the GC delay. */
  schedule(path: string): void;
  /** The delay counts from when each path was last changed: for what an earlier agent left. */
  scheduleByAge(paths: readonly string[]): void;
  /** Keeps it; resolves to false when it is being deleted this moment and cannot be kept. */
  unschedule(path: string): Promise<boolean> | undefined;
}
