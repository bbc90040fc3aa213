import { defineFlags, flag, hideAll, hideJsonValues, hideUrlPassword } from "../config/flag.ts";
import { helpFlags } from "../config/help.ts";
import { boolean, duration, json, oneOf, stringMap, text, textOrFile } from "../config/kinds.ts";
import { parseTask, parseTaskGroup } from "./group.ts";

/** The flags of mesos-execute. */
export const executeFlags = defineFlags({
  master: flag(textOrFile, {
    summary:
      "Where the master is: `host:port`, `http://host:port`, `zk://[user:password@]host1:port1,host2:port2/path`, or `file:///path` of a " +
      "file that holds one of these.",
    mask: hideUrlPassword,
  }),
  name: flag(text, { summary: "Name of the task; also its id, made unique.", default: "task" }),
  command: flag(text, { summary: "What to run. Without it a --docker_image runs what it was made for." }),
  shell: flag(boolean, {
    summary:
      "Whether a shell runs the command. Otherwise its words, split at blanks, are the program and its arguments.",
    default: true,
  }),
  task: flag(json(parseTask), {
    summary:
      "A task, as the JSON of a `TaskInfo` (`agent_id` need not be set), or the path of a file with it: `/path`, `file:///path`. It says " +
      "all itself, so --name, --command and the like have no place beside it.",
    mask: hideAll,
  }),
  task_group: flag(json(parseTaskGroup), {
    summary:
      "A group of tasks that run and end together, as the JSON of a `TaskGroupInfo` (`agent_id` need not be set), or the path of a file " +
      "with it; otherwise as --task.",
    mask: hideAll,
  }),
  resources: flag(text, { summary: "What the task needs.", default: "cpus:1;mem:128" }),
  env: flag(json(stringMap), {
    summary: 'Environment of the task as JSON, `{"NAME": "value"}`, or `file:///path` of it.',
    mask: hideJsonValues,
  }),
  docker_image: flag(text, { summary: "Image to run in." }),
  containerizer: flag<"docker" | "mesos">(oneOf("docker", "mesos"), {
    summary: "Who runs the image: `docker`, or Mesos' own containerizer, `mesos`.",
    default: "docker",
  }),
  timeout: flag(duration, { summary: "How long everything may take; then the task is killed and the exit code is 1." }),
  kill_after: flag(duration, { summary: "How long the task may run before it is killed." }),
  principal: flag(text, { summary: "Who this framework is, when the master wants to know." }),
  secret: flag(text, { summary: "The principal's secret.", mask: hideAll }),
  role: flag(text, { summary: "Role to be offered resources in.", default: "*" }),
  user: flag(text, { summary: "User who runs the task; who called this program when not given." }),
  checkpoint: flag(boolean, { summary: "Whether the task survives a restart of its agent.", default: false }),
  ...helpFlags,
});
