import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect, TLSSocket } from "node:tls";
import { messageOf } from "../../base/errors.ts";
import { type Check, type Finding, findings, type Patient } from "./finding.ts";
import { renderedConfigurations } from "./rendered.ts";

interface Network {
  readonly servers: readonly string[];
  /** The file of what is trusted; undefined: what the system trusts. */
  readonly ca: string | undefined;
  /** Undefined: without TLS. */
  readonly verification: "full" | "certificate" | "none" | undefined;
}

/** Milliseconds for a connection, and for the answer to an empty window. */
const ANSWER_TIMEOUT = 4000;

/** The network of the rendered configuration, the files of a folder put together, as the forwarder will read it. */
function networkOf(patient: Patient): Network {
  const networks = renderedConfigurations(patient).map(({ network }) => (network ?? {}) as Record<string, unknown>);
  const listed = networks.flatMap(({ servers }) => (Array.isArray(servers) ? servers : []));
  const all: Record<string, unknown> = Object.assign({}, ...networks);
  const isOff = (name: string): boolean => all[name] === false || all[name] === "false";
  const lax = isOff("ssl strict verify") || isOff("strict verify") ? "certificate" : "full";
  const told = all["ssl verification"];
  return {
    servers: [...new Set(listed.filter((server) => typeof server === "string"))],
    ca: typeof all["ssl ca"] === "string" ? all["ssl ca"] : undefined,
    verification: isOff("ssl enabled") ? undefined : told === "certificate" || told === "none" ? told : lax,
  };
}

/** An empty window; receivers of today answer it at once, those of 2015 do not. */
const EMPTY_WINDOW = Buffer.from([0x31, 0x57, 0, 0, 0, 0]);

/** How the forwarder would connect: what the file of the CA holds is trusted, an intermediate or the server's own, too. */
function tlsOptions({ ca, verification }: Network): ConnectionOptions | undefined {
  if (verification === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    allowPartialTrustChain: true,
    rejectUnauthorized: verification !== "none",
    ...(verification === "full" ? {} : { checkServerIdentity: () => undefined }),
  };
}

/** Connects as the forwarder would, sends an empty window. Resolves to whether it was acknowledged. */
function probe(
  server: string,
  tls: ConnectionOptions | undefined,
): Promise<{ readonly acknowledged: boolean; readonly protocol: string }> {
  const at = server.lastIndexOf(":");
  const [host, port] =
    at < 0 ? [server, 5000] : [server.slice(0, at).replace(/^\[|\]$/g, ""), Number(server.slice(at + 1))];
  return new Promise((done, reject) => {
    const servername = /^[\d.]+$|:/.test(host) ? "" : host;
    const socket: Socket =
      tls === undefined
        ? connectTcp({ host, port, timeout: ANSWER_TIMEOUT })
        : connect({ ...tls, host, port, servername, timeout: ANSWER_TIMEOUT });
    let secure = false;
    const end = (error: Error | undefined, acknowledged: boolean): void => {
      const protocol = socket instanceof TLSSocket ? (socket.getProtocol() ?? "TLS") : "without TLS";
      socket.destroy();
      if (error === undefined) done({ acknowledged, protocol });
      else reject(error);
    };
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      secure = true;
      socket.write(EMPTY_WINDOW);
    });
    socket.once("data", (chunk: Buffer) => end(undefined, chunk[1] === 0x41));
    socket.once("error", (error) => end(error, false));
    socket.once("close", () => end(secure ? undefined : new Error("closed during the handshake"), false));
    socket.once("timeout", () =>
      end(secure ? undefined : new Error(`no answer within ${ANSWER_TIMEOUT / 1000} s`), false),
    );
  });
}

/** Whether Logstash can be reached, under a name its certificate has, and speaks Lumberjack. */
export const logstash: Check = async (patient) => {
  const { ok, warning, failure } = findings("logstash");
  if (patient.setting("SERVICE_LOGSTASH_FORWARDER") !== "enabled")
    return patient.hasServices ? [ok("the forwarder is disabled")] : [];
  try {
    if (patient.forwarderFiles.length === 0)
      return [
        failure("the forwarder's configuration cannot be read", "SERVICE_LOGSTASH_FORWARDER_CONF names the file"),
      ];
    const network = networkOf(patient);
    if (network.servers.length === 0)
      return [failure("no server is configured", "set SERVICE_LOGSTASH_FORWARDER_ADDRESS=host:port")];
    const tls = tlsOptions(network);
    const proof = {
      full: ", certificate and name match",
      certificate: ", its certificate is trusted",
      none: ", unchecked",
    };
    const checked = network.verification === undefined ? "" : proof[network.verification];
    return await Promise.all(
      network.servers.map(async (server): Promise<Finding> => {
        try {
          const { acknowledged, protocol } = await probe(server, tls);
          return acknowledged
            ? ok(`${server}: ${protocol}${checked}, an empty window was acknowledged`)
            : warning(
                `${server}: ${protocol}${checked}, but an empty window was not acknowledged`,
                "receivers before Logstash 5 do not; is it a lumberjack or beats input?",
              );
        } catch (error) {
          return failure(`${server}: ${messageOf(error)}`, tlsFix(error));
        }
      }),
    );
  } catch (error) {
    return [failure(messageOf(error), "SERVICE_LOGSTASH_FORWARDER_CONF and _CERT name the files")];
  }
};

function tlsFix(error: unknown): string {
  const code = (error as { code?: string }).code ?? "";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "use a name in SERVICE_LOGSTASH_FORWARDER_ADDRESS that the certificate has";
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return "SERVICE_LOGSTASH_FORWARDER_CERT must be the authority that signed its certificate";
  return "is the address right, and does Logstash listen there with TLS?";
}

const SOON = 30 * 24 * 3600 * 1000;

const CERTIFICATES = ["SERVICE_LOGSTASH_FORWARDER_CERT", "LIBPROCESS_SSL_CERT_FILE", "LIBPROCESS_SSL_CA_FILE"];

/** When the certificates that are configured end. */
export const certificates: Check = async ({ setting, clock }) => {
  const { ok, warning, failure } = findings("certificates");
  const files = CERTIFICATES.flatMap((name) => setting(name) ?? []);
  if (files.length === 0) return [ok("none is configured")];
  return files.map((file): Finding => {
    try {
      const { validTo } = new X509Certificate(readFileSync(file));
      const left = Date.parse(validTo) - clock.now();
      if (left < 0) return failure(`${file} ended on ${validTo}`, "renew it");
      return left < SOON ? warning(`${file} ends on ${validTo}`, "renew it") : ok(`${file} is valid until ${validTo}`);
    } catch (error) {
      return failure(`${file}: ${messageOf(error)}`, "mount a PEM certificate");
    }
  });
};
