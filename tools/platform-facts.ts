/**
 * Prints as JSON what this machine, or the root that this runs in, is: kernel, cgroups, distribution, Docker, Podman. For
 * test/platforms, whose results docs/platforms.md is made of.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";

/** The first version number that the program prints; "none" without the program. */
function versionOf(program: string): string {
  try {
    return /\d+(?:\.\d+)+/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))?.[0] ?? "unknown";
  } catch {
    return "none";
  }
}

/** `PRETTY_NAME` of os-release(5). */
function distribution(): string {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? "unknown";
}

const facts = {
  distribution: distribution(),
  kernel: release(),
  cgroups: existsSync("/sys/fs/cgroup/cgroup.controllers") ? "v2" : "v1",
  docker: versionOf("dockerd"),
  containerd: versionOf("containerd"),
  runc: versionOf("runc"),
  podman: versionOf("podman"),
  architecture: process.arch,
};
console.log(JSON.stringify(facts));
