import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf, UserError } from "../base/errors.ts";

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

type EngineAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number | undefined; readonly isHttps: boolean };

/** A variable's value; an empty one is as if it were not set. */
type Variable = (name: string) => string | undefined;

const DEFAULT_SOCKET = "/var/run/docker.sock";

/**
 * Where the daemon is looked for: at `socket` (`--docker_socket`: a path, or a `unix://` or `tcp://` address) when that is another than the
 * default one, else where `DOCKER_HOST` says. Throws a UserError for an address that makes no sense.
 */
export function engineAddress(variable: Variable, socket = variable("MESOS_DOCKER_SOCKET")): EngineAddress {
  const isAsked = socket !== undefined && socket !== "" && socket !== DEFAULT_SOCKET;
  const address = (isAsked ? socket : variable("DOCKER_HOST")) || DEFAULT_SOCKET;
  if (address.startsWith("/")) return { kind: "unix", path: address };
  const match = /^(unix|tcp|http|https):\/\/(.*)$/.exec(address);
  if (match?.[1] === "unix" && match[2]?.startsWith("/")) return { kind: "unix", path: match[2] };
  // As tcp:// whatever was said: of http:// and https:// their own ports would be left out.
  const url = match !== null && match[1] !== "unix" ? URL.parse(`tcp://${match[2]}`) : null;
  if (url === null || url.hostname === "") {
    throw new UserError(
      `'${address}' is not an address of a Docker daemon`,
      "give a socket's path (/var/run/docker.sock), unix:///path, or tcp://host:port",
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { kind: "tcp", host, port: url.port === "" ? undefined : Number(url.port), isHttps: match?.[1] === "https" };
}

/**
 * The daemon's address (see `engineAddress`), with what TLS needs. Of the docker command's variables are looked at: `DOCKER_TLS_VERIFY`; `DOCKER_TLS`,
 * TLS without verification; `DOCKER_CERT_PATH`, a folder with ca.pem, cert.pem and key.pem, `DOCKER_CONFIG` or `.docker` at home when it
 * is not set. Reads certificates. Throws a UserError for an address that makes no sense, and for certificates that cannot be read.
 */
export function engineEndpoint(
  variable: Variable,
  socket = variable("MESOS_DOCKER_SOCKET"),
  readText: (path: string) => string = (path) => readFileSync(path, "utf8"),
): EngineEndpoint {
  const address = engineAddress(variable, socket);
  if (address.kind === "unix") return address;
  const { host, port, isHttps } = address;
  const isVerified = Boolean(variable("DOCKER_TLS_VERIFY"));
  const isAnyTaken = Boolean(variable("DOCKER_TLS")) && !isVerified;
  const isSecure = isHttps || isVerified || isAnyTaken;
  return {
    kind: "tcp",
    host,
    port: port ?? (isSecure ? 2376 : 2375),
    tls: isSecure ? { ...certificates(variable, readText), verify: !isAnyTaken } : undefined,
  };
}

function certificates(variable: Variable, readText: (path: string) => string): Omit<EngineTls, "verify"> {
  const named = variable("DOCKER_CERT_PATH") || variable("DOCKER_CONFIG") || undefined;
  const home = variable("HOME");
  const folder = named ?? (home ? join(home, ".docker") : undefined);
  const read = (name: string): string | undefined => {
    if (folder === undefined) return undefined;
    try {
      return readText(join(folder, name));
    } catch (error) {
      const code = codeOf(error);
      // A home that is /dev/null has none.
      if (code === "ENOENT" || (code === "ENOTDIR" && named === undefined)) return undefined;
      throw new UserError(
        `cannot read ${join(folder, name)}: ${messageOf(error)}`,
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
