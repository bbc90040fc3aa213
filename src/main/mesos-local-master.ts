import { readFileSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { descriptorConsole, openGlog } from "../base/glog.ts";
import { versionLine } from "../base/release.ts";
import { usageText } from "../config/help.ts";
import { loadFlags, problemsText } from "../config/parse.ts";
import { mesosGrammar } from "../config/words.ts";
import { Contender } from "../local-master/contender.ts";
import { localMasterFlags } from "../local-master/flags.ts";
import { LocalMaster } from "../local-master/local-master.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const PURPOSE = "A Mesos master for development: it forgets everything when it stops.";

async function main(words: readonly string[]): Promise<number> {
  const loaded = loadFlags(localMasterFlags, {
    words,
    grammar: { ...mesosGrammar, words: "refuse" },
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const { values } = loaded.flags;
  if (values.help || values.version) {
    console.log(
      values.help
        ? usageText({ program: "mesos-local-master", purpose: PURPOSE, table: localMasterFlags })
        : versionLine("mesos-local-master", MESOS_VERSION),
    );
    return 0;
  }
  if (!loaded.ok) throw new UserError(problemsText(loaded.problems));
  const glog = openGlog({
    level: "INFO",
    quiet: false,
    verbosity: 0,
    program: "mesos-local-master",
    host: "localhost",
    user: "nobody",
    pid: process.pid,
    maximumBytes: 1024 ** 3,
    keep: 1,
    bufferMilliseconds: 0,
    clock: systemClock,
    console: descriptorConsole(2),
  });
  const log = glog.logger;
  const master = new LocalMaster({
    ip: values.ip,
    port: values.port,
    log,
    verbosity: glog,
    ...(values.advertise_ip !== undefined && { advertiseIp: values.advertise_ip }),
    ...(values.hostname !== undefined && { hostname: values.hostname }),
  });
  await master.start();
  const contender =
    values.zk === undefined ? undefined : new Contender(values.zk, master.masterInfo, { clock: systemClock, log });
  contender?.start();
  console.log(`Serving at ${master.url} — for development only: everything is forgotten when this stops.`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  contender?.stop();
  await master.stop();
  glog.flush();
  return 0;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`mesos-local-master: ${messageOf(error)}`);
  process.exit(1);
}
