import { type Clock, sleep } from "../../base/clock.ts";
import { openSession, ZooKeeperError, type ZooKeeperSession } from "../../zookeeper/session.ts";
import type { ZooKeeperUrl } from "../../zookeeper/url.ts";
import { type Finding, findings } from "./finding.ts";

const SESSION_TIMEOUT = 10_000;

/** How opening a session went. */
type Opened = "connected" | "authentication failed" | "expired" | "late";

/**
 * Whether ZooKeeper gives us a session, and whether masters have announced themselves below the path. `patience` in milliseconds
 * bounds each step.
 */
export async function zooKeeper(url: ZooKeeperUrl, shown: string, clock: Clock, patience: number): Promise<Finding> {
  const { ok, failure } = findings("master");
  const { servers, credentials, path } = url;
  const begun = clock.monotonic();
  let session: ZooKeeperSession | undefined;
  const opened = new Promise<Opened>((done) => {
    const events = { connected: () => done("connected"), disconnected: () => undefined, ended: done };
    session = openSession({ servers, credentials, timeout: SESSION_TIMEOUT, clock }, events);
  });
  const late = <T>(value: T): Promise<T> => sleep(clock, patience).then(() => value);
  try {
    const outcome = await Promise.race([opened, late("late" as const)]);
    const took = Math.round(clock.monotonic() - begun);
    if (outcome === "authentication failed")
      return failure(`${shown}: ZooKeeper refuses the user and password`, "correct them in MESOS_MASTER");
    if (outcome !== "connected")
      return failure(
        `${shown}: no session with ZooKeeper within ${patience / 1000} s`,
        "does ZooKeeper run, and can this host reach it (port 2181)?",
      );
    const masters = await Promise.race([announced(session, path), late(0)]);
    if (masters > 0)
      return ok(`${shown}: session with ZooKeeper after ${took} ms, ${masters} master${masters > 1 ? "s" : ""} there`);
    return failure(
      `${shown}: session with ZooKeeper after ${took} ms, but no master below ${path}`,
      "does a master run, with the same path in its --zk?",
    );
  } finally {
    session?.close();
  }
}

/** Masters below `path`; none when it does not exist. Throws a ZooKeeperError. */
async function announced(session: ZooKeeperSession | undefined, path: string): Promise<number> {
  try {
    const names = (await session?.children(path, () => undefined)) ?? [];
    return new Set(names.flatMap((name) => /^(?:json\.)?info_(\d+)$/.exec(name)?.[1] ?? [])).size;
  } catch (error) {
    if (error instanceof ZooKeeperError && error.failure === "no-node") return 0;
    throw error;
  }
}
