import type { Isolation } from "../model/isolation.ts";

const NOTHING = Promise.resolve();

/** No confinement: usage comes from the process tree alone (posix/cpu, posix/mem). */
export const noIsolation: Isolation = {
  prepare: async () => ({ controlGroups: [] }),
  recover: () => NOTHING,
  update: () => NOTHING,
  confinement: () => ({ controlGroups: [] }),
  usage: async () => ({}),
  status: () => undefined,
  limitation: () => undefined,
  cleanup: () => NOTHING,
  sweep: () => NOTHING,
  close: () => NOTHING,
};
