import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { type Check, containerizersOf, type Finding, findings, type Patient } from "./finding.ts";

const MOUNT = "-v /var/run/docker.sock:/var/run/docker.sock:rw";

/** The daemon answers, and which API version it and we have in common. */
export const dockerSocket: Check = async (patient) => {
  const { ok, warning, failure } = findings("docker");
  const { engine } = patient;
  const wanted = containerizersOf(patient).includes("docker");
  try {
    const { version, api } = await engine.version();
    return [ok(`Docker ${version} at ${engine.endpoint}, API ${api}`)];
  } catch (error) {
    const detail = `no Docker daemon at ${engine.endpoint}: ${messageOf(error)}`;
    if (!wanted) return [ok("not asked for (MESOS_CONTAINERIZERS has no docker)")];
    const alone = containerizersOf(patient).length === 1;
    return [(alone ? failure : warning)(detail, `mount the socket: ${MOUNT}; or MESOS_CONTAINERIZERS=mesos`)];
  }
};

/** The daemon resolves sandbox paths on its host: work_dir must be the same folder there. Written here, looked at there. */
export const workDirIdentity: Check = async (patient) => {
  const { ok, warning, failure } = findings("work_dir");
  const folder = patient.setting("MESOS_WORK_DIR");
  if (folder === undefined)
    return [warning("MESOS_WORK_DIR is not set", "set it to a folder that is mounted at the same path")];
  const name = `.doctor-${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(join(folder, name), "");
  } catch (error) {
    return [failure(`${folder} cannot be written: ${messageOf(error)}`, `mount it: -v ${folder}:${folder}:rw`)];
  }
  try {
    if (!containerizersOf(patient).includes("docker")) return [ok(`${folder} can be written`)];
    const seen = await seenByDaemon(patient, folder, name);
    if (seen === undefined)
      return [
        warning(`${folder} can be written; whether it is the same on the host could not be seen`, "pull an image"),
      ];
    return seen
      ? [ok(`${folder} is the same folder here and on the host`)]
      : [
          failure(
            `${folder} is another folder on the host: tasks in Docker would get an empty sandbox`,
            `mount it at the same path: -v ${folder}:${folder}:rw`,
          ),
        ];
  } catch (error) {
    return [warning(`${folder} could not be looked at through the daemon: ${messageOf(error)}`)];
  } finally {
    await rm(join(folder, name), { force: true });
  }
};

/** Makes (and never starts) a container with `folder` mounted, and asks the daemon for the file in it. */
async function seenByDaemon(
  { engine, containerId }: Patient,
  folder: string,
  name: string,
): Promise<boolean | undefined> {
  const own = containerId === undefined ? undefined : (await engine.inspect(containerId)).image;
  const image = own ?? (await engine.images())[0]?.id;
  if (image === undefined) return undefined;
  const { id } = await engine.create(name.slice(1), {
    Image: image,
    Cmd: ["true"],
    HostConfig: { Binds: [`${folder}:/doctor:ro`], NetworkMode: "none" },
  });
  try {
    return await engine.pathExists(id, `/doctor/${name}`);
  } finally {
    await engine.remove(id, { force: true });
  }
}

/** Which namespaces this container shares with its host. */
export const namespaces: Check = async ({ engine, containerId }) => {
  const { ok, warning } = findings("namespaces");
  if (containerId === undefined) return [ok("not in a Docker container: the host's own")];
  let details: Awaited<ReturnType<typeof engine.inspect>>;
  try {
    details = await engine.inspect(containerId);
  } catch (error) {
    return [warning(`the daemon was not asked about this container: ${messageOf(error)}`, MOUNT)];
  }
  const host = (JSON.parse(details.raw) as { HostConfig?: { PidMode?: string; CapAdd?: string[] } }).HostConfig;
  const found: Finding[] = [
    details.networkMode === "host"
      ? ok("network: the host's")
      : warning(
          `network: ${details.networkMode}, so the master and tasks may not reach the agent`,
          "run with --net=host",
        ),
  ];
  found.push(ok(host?.PidMode === "host" ? "processes: the host's" : "processes: its own"));
  return found;
};
