/**
 * Writes what was run on a platform as <platform>.json: the facts of it and what was seen. To PLATFORMS_RESULTS, or the cache.
 *
 *   node tools/run.cjs tools/platform-result.ts PLATFORM FOLDER
 *
 * FOLDER has facts.json (tools/platform-facts.ts) and tests.json (vitest's JSON reporter), or the console of the virtual machine.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A test, or a line of the virtual machine's. */
export interface Seen {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
export interface PlatformResult {
  readonly distribution: string;
  readonly kernel: string;
  readonly cgroups: string;
  readonly docker: string;
  readonly containerd: string;
  readonly runc: string;
  readonly podman: string;
  readonly architecture: string;
  readonly seen: readonly Seen[];
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

function ofReport({ testResults }: Report): Seen[] {
  const seen = testResults.map(({ name, assertionResults }) => {
    const count = (...states: string[]): number =>
      assertionResults.filter(({ status }) => states.includes(status)).length;
    return {
      file: basename(name),
      passed: count("passed"),
      failed: count("failed"),
      skipped: count("skipped", "pending", "todo"),
    };
  });
  return seen.sort((one, other) => one.file.localeCompare(other.file));
}

/** Lines `ok what` and `not ok what`, and `FACTS {…}`. */
function ofConsole(text: string): { facts: unknown; seen: Seen[] } {
  const seen = [...text.matchAll(/^(not )?ok (.*?)\r?$/gm)].map(([, not, what = ""]) => {
    const [passed, failed] = not === undefined ? [1, 0] : [0, 1];
    return { file: what, passed, failed, skipped: 0 };
  });
  return { facts: JSON.parse(/^FACTS (\{.*\})/m.exec(text)?.[1] ?? "{}"), seen };
}

const [, , platform = "", folder = ""] = process.argv;
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const { facts, seen } = existsSync(join(folder, "console"))
  ? ofConsole(read("console"))
  : { facts: JSON.parse(read("facts.json")), seen: ofReport(JSON.parse(read("tests.json")) as Report) };
const result = { ...(facts as Omit<PlatformResult, "seen">), seen } satisfies PlatformResult;
const cache = process.env["PLATFORMS_CACHE"] ?? "/var/tmp/mesos-slave-ci";
const results = process.env["PLATFORMS_RESULTS"] ?? join(cache, "results");
mkdirSync(results, { recursive: true });
writeFileSync(join(results, `${platform}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
const total = (of: "passed" | "failed"): number => seen.reduce((sum, each) => sum + each[of], 0);
console.log(
  `${platform}: Docker ${result.docker}, cgroup ${result.cgroups}: ${total("passed")} passed, ${total("failed")} failed`,
);
