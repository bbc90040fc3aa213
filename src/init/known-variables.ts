import { type FlagTable, hideAll } from "../config/flag.ts";

/** What libprocess, in any release, reads besides the agent's flags. */
export const libprocessVariables: readonly string[] = [
  ...["IP", "PORT", "ADVERTISE_IP", "ADVERTISE_PORT", "REQUIRE_PEER_ADDRESS_IP_MATCH", "NUM_WORKER_THREADS"],
  ...["ENABLE_PROFILER", "MEMORY_PROFILING", "METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT", "SSL_ENABLED", "SSL_CERT_FILE"],
  ...["SSL_KEY_FILE", "SSL_SUPPORT_DOWNGRADE", "SSL_VERIFY_CERT", "SSL_REQUIRE_CERT", "SSL_VERIFY_SERVER_CERT"],
  ...[
    "SSL_REQUIRE_CLIENT_CERT",
    "SSL_VERIFY_DEPTH",
    "SSL_VERIFICATION_DEPTH",
    "SSL_VERIFY_IPADD",
    "SSL_CA_DIR",
    "SSL_CA_FILE",
    "SSL_CIPHERS",
  ],
  ...["SSL_ECDH_CURVES", "SSL_HOSTNAME_VALIDATION_SCHEME", "SSL_ENABLE_SSL_V3", "SSL_ENABLE_TLS_V1_0"],
  ...["SSL_ENABLE_TLS_V1_1", "SSL_ENABLE_TLS_V1_2", "SSL_ENABLE_TLS_V1_3"],
].map((name) => `LIBPROCESS_${name}`);

export interface KnownVariables {
  readonly otherVariables: readonly string[];
  readonly otherSecrets: ReadonlyMap<string, (value: string) => string>;
}

/** The variables that a program reads its flags from, by any of their names, and what may be shown of those with secrets. */
export function variablesOfFlags(prefix: string, table: FlagTable, further: readonly string[]): KnownVariables {
  const variableOf = (name: string): string => `${prefix}${name.toUpperCase()}`;
  const rows = Object.entries(table);
  const names = rows.flatMap(([name, { aliases }]) => [name, ...aliases.map((alias) => alias.name)]);
  const secrets = rows.flatMap(([name, { mask }]) => (mask === undefined ? [] : [[variableOf(name), mask] as const]));
  return { otherVariables: [...names.map(variableOf), ...further], otherSecrets: new Map(secrets) };
}

/** Paths are no secrets; what else a credential setting holds is. */
export const hideUnlessPath = (value: string): string =>
  value.startsWith("/") || value.startsWith("file://") ? value : hideAll();
