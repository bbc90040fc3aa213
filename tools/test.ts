/**
 * `npm test`: every test. Names the real components that are missing, and with --install installs them (root on Debian);
 * then runs all projects of vitest and closes with one plain line of counts.
 *
 *   node tools/run.cjs tools/test.ts [--install] [vitest arguments]
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Component {
  readonly what: string;
  /** One of these files means that it is there. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** What tests start for real. A missing one skips its tests; in CI it fails them. */
export const components: readonly Component[] = [
  { what: "supervisord", files: ["/usr/bin/supervisord"], packages: ["supervisor"] },
  { what: "ZooKeeper", files: ["/usr/share/zookeeper/bin/zkServer.sh"], packages: ["zookeeperd"] },
  { what: "the Docker engine", files: ["/usr/sbin/dockerd", "/usr/bin/dockerd"], packages: ["docker.io"] },
  { what: "Podman", files: ["/usr/bin/podman"], packages: ["podman"] },
  { what: "docker-compose", files: ["/usr/bin/docker-compose"], packages: ["docker-compose"] },
  { what: "a Docker registry", files: ["/usr/bin/docker-registry"], packages: ["docker-registry"] },
  { what: "htpasswd", files: ["/usr/bin/htpasswd"], packages: ["apache2-utils"] },
  { what: "a static busybox", files: ["/bin/busybox"], packages: ["busybox-static"] },
  { what: "debootstrap", files: ["/usr/sbin/debootstrap"], packages: ["debootstrap"] },
  { what: "Chromium", files: ["/usr/bin/chromium"], packages: ["chromium"] },
  { what: "openssl", files: ["/usr/bin/openssl"], packages: ["openssl"] },
  { what: "unzip and zip", files: ["/usr/bin/zip"], packages: ["zip", "unzip", "bzip2", "xz-utils"] },
];

const missing = (): readonly Component[] => components.filter(({ files }) => !files.some((file) => existsSync(file)));

/** Packages of Debian start services of their own at installation; ours are started by the tests. */
function install(packages: readonly string[]): void {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const run = (...words: string[]): boolean =>
    spawnSync("apt-get", words, { stdio: ["ignore", "ignore", "inherit"], env: environment }).status === 0;
  console.log(`Installing ${packages.join(" ")}`);
  if (run("install", "-y", "--no-install-recommends", ...packages)) return;
  run("update");
  run("install", "-y", "--no-install-recommends", ...packages);
}

function prepare(mayInstall: boolean): void {
  const lacking = missing();
  if (lacking.length === 0) return;
  const packages = lacking.flatMap((component) => component.packages);
  if (mayInstall && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) install(packages);
  const still = missing();
  for (const { what } of still) console.log(`${what} is missing, its tests are SKIPPED`);
  if (still.length > 0)
    console.log(
      `  Fix: npm test -- --install as root, or apt-get install ${still.flatMap((each) => each.packages).join(" ")}`,
    );
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const NOTHING = { line: "0 passed, 1 failed, 0 skipped", failed: 1 };

/**
 * Counts of vitest's JSON report as they are; a file that could not even be loaded counts as a failure, and so does an end
 * of vitest with `status` that no test accounts for (an error outside of tests), and a report that nobody could finish.
 */
export function summary(text: string, status: number | null): { line: string; failed: number } {
  let report: Report;
  try {
    report = JSON.parse(text);
  } catch {
    return NOTHING;
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + broken || (status === 0 ? 0 : 1);
  const skipped = report.numPendingTests + report.numTodoTests;
  return { line: `${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`, failed };
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  prepare(words.includes("--install"));
  const folder = mkdtempSync(join(tmpdir(), "mesos-slave-test-"));
  const output = join(folder, "report.json");
  const { status } = spawnSync(
    process.execPath,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${output}`,
      ...words.filter((word) => word !== "--install"),
    ],
    { stdio: "inherit" },
  );
  const { line, failed } = existsSync(output) ? summary(readFileSync(output, "utf8"), status) : NOTHING;
  console.log(line);
  process.exitCode = failed === 0 ? 0 : 1;
  rmSync(folder, { recursive: true, force: true });
}
