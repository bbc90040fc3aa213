import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { messageOf } from "../../base/errors.ts";
import { type Check, type Finding, findings, type Patient } from "./finding.ts";

interface Network {
  readonly servers: readonly string[];
  readonly ca: string | undefined;
}

/** Milliseconds for a connection, and for the answer to an empty window. */
const ANSWER_TIMEOUT = 4000;

function networkOf(patient: Patient): Network {
  const path = patient.setting("SERVICE_LOGSTASH_FORWARDER_CONF") ?? "/opt/logstash-forwarder/mesos-slave.conf";
  const text = readFileSync(path, "utf8").replaceAll(/^[ \t]*#.*$/gm, "");
  const network = ((JSON.parse(text) as { network?: Record<string, unknown> }).network ?? {}) as Record<
    string,
    unknown
  >;
  const given = patient.setting("SERVICE_LOGSTASH_FORWARDER_ADDRESS");
  const servers = given?.split(",").map((each) => each.trim()) ?? (network["servers"] as string[] | undefined) ?? [];
  const ca = patient.setting("SERVICE_LOGSTASH_FORWARDER_CERT") ?? (network["ssl ca"] as string | undefined);
  return { servers, ca };
}

/** An empty window; receivers of today answer it at once, those of 2015 do not. */
const EMPTY_WINDOW = Buffer.from([0x31, 0x57, 0, 0, 0, 0]);

/** Connects with TLS, checks the names, sends an empty window. Resolves to whether it was acknowledged. */
function probe(server: string, ca: Buffer): Promise<{ readonly acknowledged: boolean; readonly protocol: string }> {
  const at = server.lastIndexOf(":");
  const [host, port] =
    at < 0 ? [server, 5000] : [server.slice(0, at).replace(/^\[|\]$/g, ""), Number(server.slice(at + 1))];
  return new Promise((done, reject) => {
    const socket: TLSSocket = connect({
      host,
      port,
      ca,
      servername: /^[\d.]+$|:/.test(host) ? "" : host,
      timeout: ANSWER_TIMEOUT,
    });
    let secure = false;
    const end = (error: Error | undefined, acknowledged: boolean): void => {
      const protocol = socket.getProtocol() ?? "TLS";
      socket.destroy();
      if (error === undefined) done({ acknowledged, protocol });
      else reject(error);
    };
    socket.once("secureConnect", () => {
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
    const { servers, ca } = networkOf(patient);
    if (servers.length === 0)
      return [failure("no server is configured", "set SERVICE_LOGSTASH_FORWARDER_ADDRESS=host:port")];
    if (ca === undefined) return [failure("no CA is configured", "set SERVICE_LOGSTASH_FORWARDER_CERT to a file")];
    const authority = readFileSync(ca);
    return await Promise.all(
      servers.map(async (server): Promise<Finding> => {
        try {
          const { acknowledged, protocol } = await probe(server, authority);
          return acknowledged
            ? ok(`${server}: ${protocol}, certificate and name match, an empty window was acknowledged`)
            : warning(
                `${server}: ${protocol}, certificate and name match, but an empty window was not acknowledged`,
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
