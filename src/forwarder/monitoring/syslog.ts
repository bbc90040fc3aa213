import { spawn, spawnSync } from "node:child_process";
import { UserError } from "../../base/errors.ts";

/** Bytes that may wait for logger(1), at most: what comes then is left out and counted. */
const MOST_WAITING = 65_536;
/** Lines that were handed over last and may not have arrived when logger(1) ends. */
const KEPT = 64;

/**
 * Lines to syslog, by logger(1), the program that every system has for it. When that ends (no daemon listens at /dev/log), the
 * log goes to `instead` from then on, with what may not have arrived. Throws a UserError where it is not installed.
 */
export function toSyslog(instead: (line: string) => void, command = "logger"): (line: string) => void {
  if (spawnSync(command, ["--version"]).error !== undefined)
    throw new UserError(
      "-log-to-syslog: there is no logger(1)",
      "install bsdutils or util-linux, or leave the flag out",
    );
  const logger = spawn(command, ["-t", "logstash-forwarder", "-p", "daemon.info"], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let [hasEnded, dropped, complaint] = [false, 0, ""];
  const last: string[] = [];
  const end = (how: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    for (const line of last) instead(line);
    instead(`-log-to-syslog: logger(1) ended (${complaint.trim().split("\n")[0] || how}): the log goes on here\n`);
  };
  logger.stderr.on("data", (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(0, 200);
  });
  logger.on("error", ({ message }) => end(message));
  // After its last word was read.
  logger.on("close", (code, signal) => end(signal ?? `exit code ${code}`));
  logger.stdin.on("error", () => undefined);
  return (line) => {
    if (hasEnded) return instead(line);
    if (logger.stdin.writableLength + line.length > MOST_WAITING) {
      dropped++;
      return;
    }
    if (dropped > 0) logger.stdin.write(`${dropped} lines of this log are left out: syslog took none\n`);
    dropped = 0;
    last.push(line);
    if (last.length > KEPT) last.shift();
    logger.stdin.write(line);
  };
}
