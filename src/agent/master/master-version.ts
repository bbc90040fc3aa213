import { request } from "undici";
import { parseUPID } from "../../libprocess/upid.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseVersion } from "../../mesos/version.ts";

const DEADLINE = 5_000;
const LONGEST_ANSWER = 64 * 1024;
/** Masters have /version since 0.26. */
const BEFORE_VERSION_PAGE = "0.25.0";

/**
 * The version of a master whose address alone is known (`--master=host:port`): some old ones must not be sent what newer
 * ones need. undefined when it does not say; never rejects.
 */
export async function askMasterVersion(master: MasterInfo): Promise<string | undefined> {
  const pid = parseUPID(master.pid);
  if (pid === undefined) return undefined;
  try {
    const { statusCode, body } = await request(`http://${pid.ip}:${pid.port}/version`, {
      headersTimeout: DEADLINE,
      bodyTimeout: DEADLINE,
      signal: AbortSignal.timeout(DEADLINE),
    });
    let text = "";
    for await (const chunk of body) {
      text += String(chunk);
      if (text.length > LONGEST_ANSWER) return undefined;
    }
    if (statusCode === 404) return BEFORE_VERSION_PAGE;
    const version = (JSON.parse(text) as { version?: unknown }).version;
    return typeof version === "string" && parseVersion(version) !== undefined ? version : undefined;
  } catch {
    return undefined;
  }
}
