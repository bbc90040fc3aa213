import { quoteWord } from "../command.ts";

/** What the node turned out to be, for whoever started it. */
export interface Up {
  readonly agentUrl: string;
  /** Of the development master. */
  readonly masterUrl: string | undefined;
  /** As it is to be given to mesos-execute, credentials masked. */
  readonly master: string;
  readonly registered: boolean;
  /** Docker's version, or the line that says why the node goes without. */
  readonly docker: { readonly version: string } | { readonly without: string };
  readonly root: string;
}

/** The last thing on the screen while the node runs. */
export function upBlock(up: Up): string {
  const rows = [
    ["node", up.agentUrl],
    ...(up.masterUrl === undefined ? [] : [["master", up.masterUrl]]),
    ["docker", "version" in up.docker ? up.docker.version : up.docker.without],
    ["files", up.root],
    ["log", `${up.root}/var/log/mesos/mesos-slave.INFO`],
  ].map(([name = "", value = ""]) => `  ${name.padEnd(7)} ${value}`);
  const state = up.registered
    ? "The node is up."
    : `The node is up, but not registered with ${up.master} yet: its log says what it waits for.`;
  return [
    "",
    state,
    ...rows,
    "Try, in another terminal:",
    `  bin/mesos-execute --master=${quoteWord(up.master)} --name=hello --command='echo hello; sleep 1; echo done'`,
    "Ctrl-C stops everything.",
    "",
  ].join("\n");
}

/** What is said at Ctrl-C. In another master's cluster tasks have somebody who waits for them. */
export const stoppingLine = (joined: boolean): string =>
  joined
    ? "Stopping: every task is ended, Docker's too, and the master is told. Ctrl-C again ends them at once."
    : "Stopping.";

/** Warnings of init among what the node said, for the screen. */
export function warningsIn(text: string): string[] {
  return [...text.matchAll(/^\[[^\]]*\]\[Init\]\[Warning\] (.*)$/gm)].map(([, words = ""]) => `warning: ${words}`);
}

/** The last lines of what a node said that did not come up, without supervisord's own chatter. */
export function lastWords(text: string, lines = 20): string {
  const all = text
    .trimEnd()
    .split("\n")
    .filter((line) => !/^\d{4}-\d\d-\d\d [\d:,]+ INFO /.test(line));
  return all.slice(-lines).join("\n");
}
