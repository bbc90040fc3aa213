import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.ts";

/** Where the daemon listens. */
export type EngineEndpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: EngineTls | undefined };

/** Certificates as PEM text. */
interface EngineTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** false: any server certificate is taken (DOCKER_TLS without DOCKER_TLS_VERIFY). */
  readonly verify: boolean;
}

export interface EndpointSettings {
  /** `--docker_socket`: a path, or a `unix://` or `tcp://` address. */
  readonly socket: string | undefined;
  /**
   * A variable's value. Those of the docker command are looked at, empty ones as if they were not set: `DOCKER_HOST`, used when no socket but
   * the default one was asked for; `DOCKER_TLS_VERIFY`; `DOCKER_TLS`, TLS without verification; `DOCKER_CERT_PATH`, a folder with ca.pem, cert.pem
   * and key.pem, `DOCKER_CONFIG` or `.docker` at home when it is not set.
   */
  readonly variable?: (name: string) => string | undefined;
}

const DEFAULT_SOCKET = "/var/run/docker.sock";

/** The daemon's address for `settings`. Reads certificates. Throws a UserError for an address that makes no sense. */
export function engineEndpoint(
  settings: EndpointSettings,
  readText: (path: string) => string = (path) => readFileSync(path, "utf8"),
): EngineEndpoint {
  const isAsked = settings.socket !== undefined && settings.socket !== "" && settings.socket !== DEFAULT_SOCKET;
  const given = (name: string): string | undefined => settings.variable?.(name) || undefined;
  const address = (isAsked ? settings.socket : given("DOCKER_HOST")) || DEFAULT_SOCKET;
  if (address.startsWith("/")) return { kind: "unix", path: address };
  const match = /^(unix|tcp|http|https):\/\/(.*)$/.exec(address);
  if (match?.[1] === "unix" && match[2]?.startsWith("/")) return { kind: "unix", path: match[2] };
  const url = match !== null && match[1] !== "unix" ? URL.parse(`http://${match[2]}`) : null;
  if (url === null || url.hostname === "") {
    throw new UserError(
      `'${address}' is not an address of a Docker daemon`,
      "give a socket's path (/var/run/docker.sock), unix:///path, or tcp://host:port",
    );
  }
  const isVerified = given("DOCKER_TLS_VERIFY") !== undefined;
  const isAnyTaken = given("DOCKER_TLS") !== undefined && !isVerified;
  const secure = match?.[1] === "https" || isVerified || isAnyTaken;
  const port = Number(url.port || (secure ? 2376 : 2375));
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const home = given("HOME");
  const folder = given("DOCKER_CERT_PATH") ?? given("DOCKER_CONFIG") ?? (home && join(home, ".docker"));
  return {
    kind: "tcp",
    host,
    port,
    tls: secure ? { ...certificates(folder, readText), verify: !isAnyTaken } : undefined,
  };
}

function certificates(folder: string | undefined, readText: (path: string) => string): Omit<EngineTls, "verify"> {
  const read = (name: string): string | undefined => {
    if (folder === undefined) return undefined;
    try {
      return readText(join(folder, name));
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return undefined;
      throw new UserError(
        `cannot read ${join(folder, name)}: ${(error as Error).message}`,
        "DOCKER_CERT_PATH must be a readable folder with ca.pem, cert.pem and key.pem",
        { cause: error },
      );
    }
  };
  const [ca, cert, key] = [read("ca.pem"), read("cert.pem"), read("key.pem")];
  if ((cert === undefined) !== (key === undefined)) {
    throw new UserError(`${folder} has only one of cert.pem and key.pem`, "a client certificate needs both files");
  }
  return { ca, cert, key };
}

/** As people write it: `unix:///var/run/docker.sock`. */
export function endpointText(endpoint: EngineEndpoint): string {
  if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}
