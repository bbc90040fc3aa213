/**
 * Milliseconds of processor time that this thread has taken so far. What is computed at once is measured by it: what others do on the
 * machine, or in the threads beside, makes no test late.
 */
export function ownMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
