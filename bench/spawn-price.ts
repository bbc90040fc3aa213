import { spawnSync } from "node:child_process";

/** Starts `sh -c 'exec sleep 1000'` as often as asked, waits until all sleep, and says what that took; then ends them. */
const SCRIPT = `
import os, sys, time, signal
count = int(sys.argv[1])
def cpu(pid):
    with open(f"/proc/{pid}/schedstat") as file: return int(file.read().split()[0]) / 1e9
null = os.open("/dev/null", os.O_RDWR)
begun, before = time.monotonic(), cpu("self")
pids = [os.posix_spawn("/bin/sh", ["sh", "-c", "exec sleep 1000"], os.environ,
    file_actions=[(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]) for _ in range(count)]
spawned = cpu("self") - before
left = pids
while left:
    left = [pid for pid in left if open(f"/proc/{pid}/comm").read() != "sleep\\n"]
took = time.monotonic() - begun
print(took, spawned + sum(map(cpu, pids)))
for pid in pids: os.kill(pid, signal.SIGKILL)
for pid in pids: os.waitpid(pid, 0)
`;

export interface SpawnPrice {
  /** Seconds until all of them sleep, and on processors. */
  readonly wall: number;
  readonly cpu: number;
}

/** What the kernel takes for that many tasks with nothing around them; the best of three. Throws without python3. */
export function spawnPrice(count: number): SpawnPrice {
  const rounds = [1, 2, 3].map(() => {
    const { stdout, stderr, error } = spawnSync("python3", ["-c", SCRIPT, String(count)], { encoding: "utf8" });
    const [wall, cpu] = (stdout ?? "").split(" ").map(Number);
    if (!wall || !cpu) throw new Error(`python3 is needed for posix_spawn's price: ${error?.message ?? stderr}`);
    return { wall, cpu };
  });
  return {
    wall: Math.min(...rounds.map(({ wall }) => wall)),
    cpu: Math.min(...rounds.map(({ cpu }) => cpu)),
  };
}
