import { randomUUID } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { BROKEN_PIPE } from "../base/broken-pipe.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { versionLine } from "../base/release.ts";
import { userName } from "../base/user-name.ts";
import { masterAddress } from "../client/master-address.ts";
import { usageText } from "../config/help.ts";
import { type LoadedFlags, loadFlags, problemsText } from "../config/parse.ts";
import { mesosGrammar } from "../config/words.ts";
import { Execution } from "../execute/execute.ts";
import { executeFlags } from "../execute/flags.ts";
import { groupWork, taskWork } from "../execute/group.ts";
import { Screen } from "../execute/screen.ts";
import { checkJob, parseDemand } from "../execute/task.ts";
import { jobWork, refuseOneTaskFlags, type Work } from "../execute/work.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { createDetector } from "../zookeeper/detector.ts";

const PURPOSE = "Runs a command or an image on a Mesos cluster and follows it to its end. Exit code 0: it finished.";

/** Troubles with finding the master, on stderr. */
const troubles: Logger = {
  info: () => undefined,
  verbose: () => undefined,
  warn: (message) => console.error(message),
  error: (message) => console.error(message),
  named: () => troubles,
};

function workOf({ values, origins }: LoadedFlags<typeof executeFlags>): Work {
  const [role, user] = [values.role, values.user ?? userName()];
  if (user === undefined)
    throw new UserError(
      `the user ${process.getuid?.()} has no name on this machine`,
      "say who runs the task: --user=NAME",
    );
  refuseOneTaskFlags(new Set(origins.keys()));
  if (values.task_group !== undefined) return groupWork(values.task_group, { role, user });
  if (values.task !== undefined) return taskWork(values.task, { role, user });
  const job = {
    name: values.name,
    command: values.command,
    shell: values.shell,
    resources: parseDemand(values.resources),
    environment: values.env ?? {},
    dockerImage: values.docker_image,
    containerizer: values.containerizer,
    ...{ role, user },
  };
  checkJob(job);
  return jobWork(job, `${values.name}-${randomUUID().slice(0, 8)}`);
}

async function main(words: readonly string[]): Promise<number> {
  const loaded = loadFlags(executeFlags, {
    words,
    // Only this one: on a node the other MESOS_ variables are the agent's (MESOS_RESOURCES).
    environment: { MESOS_MASTER: process.env["MESOS_MASTER"] },
    prefix: "MESOS_",
    grammar: { ...mesosGrammar, words: "refuse" },
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const { values } = loaded.flags;
  if (values.help || values.version) {
    console.log(
      values.help
        ? usageText({ program: "mesos-execute", purpose: PURPOSE, table: executeFlags })
        : versionLine("mesos-execute", MESOS_VERSION),
    );
    return 0;
  }
  if (!loaded.ok) throw new UserError(problemsText(loaded.problems));
  for (const warning of loaded.flags.warnings) console.error(warning);
  if (values.master === undefined) throw new UserError("no master is given", "give --master=host:port");
  if ((values.principal === undefined) !== (values.secret === undefined))
    throw new UserError("--principal and --secret go together", "give both or neither");
  const credential =
    values.principal === undefined || values.secret === undefined
      ? undefined
      : { principal: values.principal, secret: values.secret };
  const screen = new Screen(writeSync);
  const execution = new Execution({
    work: workOf(loaded.flags),
    detector: await createDetector(masterAddress(values.master), { clock: systemClock, log: troubles }),
    credential,
    checkpoint: values.checkpoint,
    timeout: values.timeout,
    killAfter: values.kill_after,
    clock: systemClock,
    tell: (line) => screen.write("stdout", Buffer.from(`${line}\n`)),
    write: screen.write,
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => execution.kill(`${signal} arrived`));
  screen.onUnread = () => execution.kill("nobody reads its output any more");
  const isDone = await execution.run();
  if (screen.isUnread) return BROKEN_PIPE;
  return isDone ? 0 : 1;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`mesos-execute: ${messageOf(error)}`);
  process.exit(1);
}
