import { UserError } from "../base/errors.ts";

type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** The LIBPROCESS_SSL_* variables, read. */
export interface TlsSettings {
  /** Plain connections are accepted, and tried when a handshake fails. */
  readonly downgrade: boolean;
  readonly keyFile: string;
  readonly certFile: string;
  /** Check the certificates of servers that we dial, and of clients that show one. */
  readonly verify: boolean;
  /** Refuse clients without a valid certificate. */
  readonly requireClient: boolean;
  /** Intermediate certificates at most. */
  readonly depth: number;
  readonly caFile: string | undefined;
  readonly caDir: string | undefined;
  /** OpenSSL's list; undefined: Node's. */
  readonly ciphers: string | undefined;
  readonly curves: string;
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** In the legacy scheme, take the peer's address in the certificate for its name too. */
  readonly verifyIp: boolean;
  /** `legacy`: the name that the peer's address resolves to; `openssl`: the name that was dialled. */
  readonly scheme: "legacy" | "openssl";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A variable under its present name, else under the one of 0.24; the name that was found, for messages. */
function find(environment: Environment, suffixes: readonly string[]): { name: string; value: string } | undefined {
  for (const prefix of ["LIBPROCESS_SSL_", "SSL_"]) {
    for (const suffix of suffixes) {
      const value = environment[prefix + suffix];
      if (value !== undefined && value !== "") return { name: prefix + suffix, value };
    }
  }
  return undefined;
}

function flag(environment: Environment, fallback: boolean, ...suffixes: string[]): boolean {
  const found = find(environment, suffixes);
  if (found === undefined) return fallback;
  if (found.value === "true" || found.value === "1") return true;
  if (found.value === "false" || found.value === "0") return false;
  throw new UserError(`${found.name}=${found.value} is not a truth value`, "write true, 1, false or 0");
}

const VERSIONS: readonly (readonly [suffix: string, version: TlsVersion, enabled: boolean])[] = [
  ["ENABLE_TLS_V1_0", "TLSv1", false],
  ["ENABLE_TLS_V1_1", "TLSv1.1", false],
  ["ENABLE_TLS_V1_2", "TLSv1.2", true],
  ["ENABLE_TLS_V1_3", "TLSv1.3", false],
];

function versions(environment: Environment): { minVersion: TlsVersion; maxVersion: TlsVersion } {
  if (flag(environment, false, "ENABLE_SSL_V3"))
    throw new UserError("SSL 3.0 is not available any more", "unset LIBPROCESS_SSL_ENABLE_SSL_V3");
  const enabled = VERSIONS.map(([suffix, , fallback]) => flag(environment, fallback, suffix));
  const [first, last] = [enabled.indexOf(true), enabled.lastIndexOf(true)];
  const [minVersion, maxVersion] = [VERSIONS[first]?.[1], VERSIONS[last]?.[1]];
  if (minVersion === undefined || maxVersion === undefined)
    throw new UserError("no version of TLS is enabled", "set LIBPROCESS_SSL_ENABLE_TLS_V1_2=true");
  const gap = enabled.slice(first, last).indexOf(false);
  if (gap !== -1) {
    throw new UserError(
      `TLS versions with a gap: ${minVersion} and ${maxVersion} are enabled, ${VERSIONS[first + gap]?.[1]} is not`,
      "enable the versions between them too, or only one side",
    );
  }
  return { minVersion, maxVersion };
}

function mandatory(environment: Environment, suffix: string, what: string): string {
  const found = find(environment, [suffix]);
  if (found === undefined)
    throw new UserError(`TLS is enabled without ${what}`, `set LIBPROCESS_SSL_${suffix} to a file in PEM form`);
  return found.value;
}

/**
 * Reads LIBPROCESS_SSL_*, each with its SSL_* name of 0.24 as fallback. Undefined when TLS is not enabled. Throws a
 * UserError that names the variable.
 */
export function readTlsSettings(environment: Environment): TlsSettings | undefined {
  if (!flag(environment, false, "ENABLED")) return undefined;
  // Mesos' documentation calls it by the second name, its code by the first.
  const depth = find(environment, ["VERIFICATION_DEPTH", "VERIFY_DEPTH"]);
  if (depth !== undefined && !/^\d{1,3}$/.test(depth.value))
    throw new UserError(
      `${depth.name}=${depth.value} is not a number of certificates`,
      "write a whole number such as 4",
    );
  const scheme = find(environment, ["HOSTNAME_VALIDATION_SCHEME"]);
  if (scheme !== undefined && scheme.value !== "legacy" && scheme.value !== "openssl")
    throw new UserError(`${scheme.name}=${scheme.value} does not exist`, "write legacy or openssl");
  const requireClient = flag(environment, false, "REQUIRE_CLIENT_CERT", "REQUIRE_CERT");
  const verify = flag(environment, false, "VERIFY_SERVER_CERT", "VERIFY_CERT");
  return {
    downgrade: flag(environment, false, "SUPPORT_DOWNGRADE"),
    keyFile: mandatory(environment, "KEY_FILE", "a key"),
    certFile: mandatory(environment, "CERT_FILE", "a certificate"),
    verify: verify || requireClient,
    requireClient,
    depth: Number(depth?.value ?? 4),
    caFile: find(environment, ["CA_FILE"])?.value,
    caDir: find(environment, ["CA_DIR"])?.value,
    ciphers: find(environment, ["CIPHERS"])?.value,
    curves: find(environment, ["ECDH_CURVES"])?.value ?? "auto",
    ...versions(environment),
    verifyIp: flag(environment, false, "VERIFY_IPADD"),
    scheme: scheme?.value === "openssl" ? "openssl" : "legacy",
  };
}
