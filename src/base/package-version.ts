import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The release of this package, from a program's own folder: a bundle lies one folder below the package, a source two. */
export function packageVersion(folder: string): string {
  for (const up of ["..", "../.."]) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, up, "package.json"), "utf8"));
      if (manifest.name === "mesos-slave") return manifest.version;
    } catch {
      // Not there: one folder up.
    }
  }
  return "unknown";
}
