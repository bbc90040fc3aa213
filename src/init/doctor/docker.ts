import { randomBytes } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { socketComplaint } from "../findings.ts";
import { existing, type MachineFacts } from "../machine.ts";
import { type Check, containerizersOf, type Finding, findings, fixHere, type Patient } from "./finding.ts";

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
    const why = socketWords(patient.facts) ?? messageOf(error);
    const detail = `no Docker daemon at ${engine.endpoint}: ${why}`;
    if (!wanted) return [ok("not asked for (MESOS_CONTAINERIZERS has no docker)")];
    const alone = containerizersOf(patient).length === 1;
    const fix = fixHere(patient, `mount the socket: ${MOUNT}`, "start dockerd, as a user that may use its socket");
    return [(alone ? failure : warning)(detail, `${fix}; or MESOS_CONTAINERIZERS=mesos`)];
  }
};

/** What is wrong with the socket itself, if it is one. */
function socketWords(facts: MachineFacts): string | undefined {
  const { state = "answers", path = "" } = facts.dockerSocket ?? {};
  if (state === "answers") return undefined;
  return state === "absent" ? "there is no such socket" : socketComplaint(facts, path, state);
}

/** The daemon resolves sandbox paths on its host: work_dir must be the same folder there. Written here, looked at there. */
export const workDirIdentity: Check = async (patient) => {
  const { ok, warning, failure } = findings("work_dir");
  const folder = patient.setting("MESOS_WORK_DIR");
  if (folder === undefined)
    return [
      warning(
        "MESOS_WORK_DIR is not set",
        fixHere(patient, "set it to a folder that is mounted at the same path", "set it"),
      ),
    ];
  const name = `.doctor-${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(join(folder, name), "");
  } catch (error) {
    if (codeOf(error) === "ENOENT" && !patient.facts.isContainer && canBeMade(folder))
      return [ok(`${folder} is not there yet, and the agent can make it`)];
    const fix = fixHere(patient, `mount it: -v ${folder}:${folder}:rw`, "make it, writable for this user");
    return [failure(`${folder} cannot be written: ${messageOf(error)}`, fix)];
  }
  try {
    if (!containerizersOf(patient).includes("docker")) return [ok(`${folder} can be written`)];
    const seen = await seenByDaemon(patient, folder, name);
    if (seen === undefined)
      return [
        warning(`${folder} can be written; whether Docker sees the same folder could not be seen`, "pull an image"),
      ];
    if (seen && !patient.facts.isContainer) return [ok(`${folder} can be written, and Docker sees the same folder`)];
    return seen
      ? [ok(`${folder} is the same folder here and on the host`)]
      : [
          failure(
            `${folder} is another folder where Docker runs: tasks in Docker would get an empty sandbox`,
            fixHere(patient, `mount it at the same path: -v ${folder}:${folder}:rw`, "use the Docker of this machine"),
          ),
        ];
  } catch (error) {
    return [
      warning(
        `${folder} could not be looked at through the daemon: ${messageOf(error)}`,
        "may this user make containers there? See the daemon's log",
      ),
    ];
  } finally {
    await rm(join(folder, name), { force: true });
  }
};

function canBeMade(folder: string): boolean {
  try {
    accessSync(existing(folder), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

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
    HostConfig: {
      Mounts: [
        { Type: "bind", Source: folder, Target: "/doctor", ReadOnly: true, BindOptions: { CreateMountpoint: true } },
      ],
      NetworkMode: "none",
    },
  });
  try {
    return await engine.pathExists(id, `/doctor/${name}`);
  } finally {
    await engine.remove(id, { force: true });
  }
}

/** Which namespaces this container shares with its host. */
export const namespaces: Check = async ({ engine, containerId, facts }) => {
  const { ok, warning } = findings("namespaces");
  if (containerId === undefined) return facts.isContainer ? [ok("of which container this is could not be seen")] : [];
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
  found.push(
    ok(
      host?.PidMode === "host"
        ? "processes: the host's; HTTP and TCP checks look into the network of a task's container"
        : "processes: its own; HTTP and TCP checks of Docker tasks in BRIDGE or USER go to the container's address, in NONE nowhere (--pid=host: to its loopback)",
    ),
  );
  return found;
};
