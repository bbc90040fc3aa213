/** docs/platforms.md, of what was run: test/platforms/results. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { PlatformResult, Seen } from "./platform-result.ts";

const folder = resolve(import.meta.dirname, "../test/platforms/results");

/** How each came to be; a result without words here fails. */
const platforms: Readonly<Record<string, { readonly title: string; readonly how: string }>> = {
  here: { title: "The machine of the CI itself", how: "`test/platforms/docker.sh here`" },
  forky: {
    title: "Debian forky, Docker with the containerd image store and no API below 1.44, as Docker 29 has it",
    how: "`test/platforms/docker.sh forky`",
  },
  "image-forky": {
    title: "The image on Debian forky's Docker: built by BuildKit, the documented run command, stop, tasks in Docker",
    how: "`test/platforms/image.sh forky`",
  },
  arm64: {
    title: "arm64, emulated by qemu-user: the bundle, the launcher and tasks of the mesos containerizer",
    how: "`test/platforms/arm64.sh`",
  },
  vm: {
    title:
      "A virtual machine with cgroup v2 alone: the cgroup test file, Docker's statistics, and the agent in a container with a cgroup namespace of its own, with the machine's, and in a delegated subtree",
    how: "`test/platforms/vm.sh`",
  },
};

const total = (seen: readonly Seen[], of: "passed" | "failed" | "skipped"): number =>
  seen.reduce((sum, each) => sum + each[of], 0);

function rowOf(name: string, result: PlatformResult): string {
  const { distribution, kernel, cgroups, docker, containerd, runc, podman, architecture, seen } = result;
  const counts = `${total(seen, "passed")} passed, ${total(seen, "failed")} failed, ${total(seen, "skipped")} skipped`;
  const engines = `${docker} (containerd ${containerd}, runc ${runc})`;
  return `| ${name} | ${distribution}, ${architecture} | ${kernel} | ${cgroups} | ${engines} | ${podman} | ${counts} |`;
}

function sectionOf(name: string, { seen }: PlatformResult): string[] {
  const words = platforms[name];
  if (words === undefined) throw new Error(`tools/platforms-page.ts has no words for '${name}'`);
  const rows = seen.map(({ file, passed, failed, skipped }) => `| ${file} | ${passed} | ${failed} | ${skipped} |`);
  const table = ["| what was run | passed | failed | skipped |", "|---|---|---|---|", ...rows];
  return ["", `## ${name}`, `${words.title}: ${words.how}.`, "", ...table];
}

type Named = readonly [name: string, result: PlatformResult];

function resultsHere(): Named[] {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort();
  return names.map((name) => {
    const result = JSON.parse(readFileSync(join(folder, name), "utf8")) as PlatformResult;
    return [name.replace(/\.json$/, ""), result] as const;
  });
}

const table = (results: readonly Named[]): string[] => [
  "| | system | kernel | cgroups | Docker | Podman | |",
  "|---|---|---|---|---|---|---|",
  ...results.map(([name, result]) => rowOf(name, result)),
];

/** The table alone, for README.md. */
export const platformsBlock = (): string => table(resultsHere()).join("\n");

/** The whole page. */
export function platformsPage(): string {
  const results = resultsHere();
  return `${[
    "# What was tried on what",
    "",
    "Made of the results of `.ci/run` (`npm run docs`; a new result is kept with `PLATFORMS_RESULTS=test/platforms/results`).",
    "",
    ...table(results),
    ...results.flatMap(([name, result]) => sectionOf(name, result)),
  ].join("\n")}\n`;
}
