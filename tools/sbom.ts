/**
 * The image's bill of materials, CycloneDX 1.5 as JSON, on stdout: production packages from package-lock.json, Node, and
 * Debian's packages from a dpkg status file. Says the same for the same input: no time, no random number.
 *
 *   node tools/run.cjs tools/sbom.ts --dpkg /var/lib/dpkg/status
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

interface Component {
  readonly type: "library" | "application";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

/** Production packages of a lockfile; optional ones of other machines are left out. */
export function npmComponents(lock: { readonly packages: Readonly<Record<string, LockedPackage>> }): Component[] {
  return Object.entries(lock.packages).flatMap(([path, { version, dev, optional }]) => {
    const name = path.split("node_modules/").at(-1) ?? "";
    if (path === "" || dev || optional || version === undefined) return [];
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    return [{ type: "library" as const, name, version, purl }];
  });
}

/** Installed packages of a dpkg status file. */
export function debianComponents(status: string): Component[] {
  return status.split("\n\n").flatMap((paragraph) => {
    const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
    if (!field("Status").endsWith(" installed")) return [];
    const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
    return [{ type: "library" as const, name, version, purl }];
  });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { dpkg: { type: "string" } } });
  const root = resolve(import.meta.dirname, "..");
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
  const { name, version } = read("package.json");
  const node = process.version.slice(1);
  const components = [
    { type: "application", name: "node", version: node, purl: `pkg:generic/node@${node}` },
    ...npmComponents(read("package-lock.json")),
    ...(values.dpkg === undefined ? [] : debianComponents(readFileSync(values.dpkg, "utf8"))),
  ];
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "application", name, version, purl: `pkg:npm/${name}@${version}` } },
    components,
  };
  console.log(JSON.stringify(document, null, 2));
}
