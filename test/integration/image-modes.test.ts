import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const packageFolder = resolve(import.meta.dirname, "../..");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modes-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SECRETS = [
  "root/.docker/config.json",
  "root/.dockercfg",
  "root/notes",
  "opt/x/client.key",
  "etc/mesos-credentials",
  "srv/.docker/config.json",
  "srv/.aws/credentials",
  "srv/.kube/config",
  "etc/mesos.keytab",
  "etc/api.token",
  "etc/ssl/server.pem",
  "etc/ssl/id_ed25519",
];
/** With whatever name. */
const KEY = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\nx\n";
const PLAIN = ["opt/logstash-forwarder/logstash-forwarder.crt", "etc/own.conf"];

/** skel as a checkout under this umask has it, and its modes afterwards. */
function modes(umask: number, meant: Readonly<Record<string, number>> = {}): (path: string) => number {
  copyFileSync(join(packageFolder, "skel/init.sh"), join(folder, "init.sh"));
  chmodSync(join(folder, "init.sh"), 0o777 & ~umask);
  for (const path of [...SECRETS, ...PLAIN]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), /ssl/.test(path) ? KEY : "x");
    chmodSync(join(folder, path), meant[path] ?? 0o666 & ~umask);
  }
  execFileSync("sh", [join(packageFolder, "tools/image-modes.sh"), folder]);
  return (path) => statSync(join(folder, path)).mode & 0o777;
}

test.for([0o022, 0o077, 0o002])("credentials are root's alone, the rest is everybody's: umask %o", (umask) => {
  const mode = modes(umask);
  for (const path of SECRETS) expect([path, mode(path) & 0o077]).toEqual([path, 0]);
  for (const path of PLAIN) expect([path, mode(path) & 0o444]).toEqual([path, 0o444]);
  expect(mode("root")).toBe(0o700);
  expect(mode("init.sh") & 0o555).toBe(0o555);
});

test("a mode that is meant stays", () => {
  expect(modes(0o022, { "etc/own.conf": 0o600 })("etc/own.conf")).toBe(0o600);
});
