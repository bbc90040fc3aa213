import type { Isolation } from "../../src/agent/model/isolation.ts";

const NOTHING = Promise.resolve();

/** No confinement: usage comes from the process tree alone (posix/cpu, posix/mem). */
export const noIsolation: Isolation = {
  enforces: { cpus: false, mem: false },
  prepare: async () => ({ controlGroups: [], ownGroup: undefined }),
  recover: () => NOTHING,
  update: () => NOTHING,
  limitMemory: async () => false,
  confinement: () => ({ controlGroups: [], ownGroup: undefined }),
  usage: async () => ({}),
  figures: () => [],
  status: () => undefined,
  limitation: () => undefined,
  cleanup: () => NOTHING,
  sweep: () => NOTHING,
  close: () => NOTHING,
};
