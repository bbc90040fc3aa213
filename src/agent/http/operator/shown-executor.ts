import { create } from "@bufbuild/protobuf";
import { shallowCopy } from "../../../mesos/codec.ts";
import {
  CommandInfoSchema,
  DurationInfoSchema,
  type ExecutorInfo,
  ExecutorInfoSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { withoutSecrets } from "../../../mesos/secrets.ts";
import { commandShare } from "../../model/command-share.ts";
import type { ExecutorRecord } from "../../model/records.ts";

const EXECUTOR = "mesos-executor";
/** What C++ agents wait for their executor beyond its task's grace: a second, and one look of the reaper. */
const SHUTDOWN_SLACK = 2_000_000_000n;

/**
 * An executor as the operator API shows it, without the values of secrets. That of a command task is only a name here; it
 * is shown with the command, share and grace period that C++ agents give theirs, because clients add those up.
 */
export function shownExecutor(executor: ExecutorRecord, launcherDir = "/usr/libexec/mesos"): ExecutorInfo {
  const info = withoutSecrets(ExecutorInfoSchema, executor.info);
  // One that a C++ agent made up is whole.
  if (executor.kind !== "command" || info.resources.length > 0) return info;
  const [first] = [...executor.tasks.values(), ...executor.completed];
  const { uris = [], environment, user = "" } = info.command ?? {};
  const grace = first?.info?.killPolicy?.gracePeriod?.nanoseconds;
  const command = create(CommandInfoSchema, {
    shell: false,
    value: `${launcherDir}/${EXECUTOR}`,
    arguments: [EXECUTOR, `--launcher_dir=${launcherDir}`],
    uris,
    ...(environment && { environment }),
    ...(user !== "" && { user }),
  });
  const shown = shallowCopy(info);
  shown.command = command;
  shown.resources = commandShare(first?.task.resources ?? []);
  if (grace !== undefined)
    shown.shutdownGracePeriod = create(DurationInfoSchema, { nanoseconds: grace + SHUTDOWN_SLACK });
  return shown;
}
