import { create } from "@bufbuild/protobuf";
import { UserError } from "../base/errors.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  type ContainerInfo,
  ContainerInfo_DockerInfo_Network,
  ContainerInfo_Type,
  ContainerInfoSchema,
  Image_Type,
  type Offer,
  type Resource,
  type TaskInfo,
  TaskInfoSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { parseResources } from "../mesos/resources-text.ts";

/** What somebody wants to run. */
export interface Job {
  readonly name: string;
  readonly command: string | undefined;
  readonly shell: boolean;
  readonly resources: Resources;
  readonly environment: Readonly<Record<string, string>>;
  readonly dockerImage: string | undefined;
  readonly containerizer: "docker" | "mesos";
  readonly role: string;
  readonly user: string;
}

/** Why a job cannot be run at all, as a UserError. */
export function checkJob(job: Job): void {
  const problem = idProblem(job.name);
  if (problem !== undefined) throw new UserError(`--name: it ${problem}`, "choose another name");
  if ((job.command ?? "") === "" && job.dockerImage === undefined)
    throw new UserError("there is nothing to run", "give --command or --docker_image");
  if (job.resources.isEmpty) throw new UserError("--resources is empty", "write for example cpus:1;mem:128");
}

/** `--resources`: text or JSON. Throws a UserError. */
export const parseDemand = (text: string): Resources => parseResources(text);

function commandOf(job: Job): CommandInfo {
  const variables = Object.entries(job.environment).map(([name, value]) => ({ name, value }));
  const shared = { ...(variables.length > 0 && { environment: { variables } }), user: job.user };
  const command = job.command ?? "";
  // Without a command the image's own entry point runs, which is what shell: false without a value means.
  if (command === "") return create(CommandInfoSchema, { ...shared, shell: false });
  if (job.shell) return create(CommandInfoSchema, { ...shared, shell: true, value: command });
  const words = command.split(/\s+/).filter((word) => word !== "");
  return create(CommandInfoSchema, { ...shared, shell: false, value: words[0] ?? "", arguments: words });
}

function containerOf(job: Job): ContainerInfo | undefined {
  if (job.dockerImage === undefined) return undefined;
  if (job.containerizer === "docker")
    return create(ContainerInfoSchema, {
      type: ContainerInfo_Type.DOCKER,
      docker: { image: job.dockerImage, network: ContainerInfo_DockerInfo_Network.HOST },
    });
  return create(ContainerInfoSchema, {
    type: ContainerInfo_Type.MESOS,
    mesos: { image: { type: Image_Type.DOCKER, docker: { name: job.dockerImage } } },
  });
}

/** What of an offer a command may have: no volumes, nothing that may be taken away again. */
export const usable = (offered: readonly Resource[]): Resources =>
  Resources.of(offered).filter((kind) => kind.disk === undefined && kind.revocable === undefined);

/**
 * Takes what the job needs out of an offer: reserved resources first, unreserved ones for the rest. Undefined when the
 * offer does not hold enough.
 */
export function takeFrom(offered: readonly Resource[], needed: Resources): Resource[] | undefined {
  let available = usable(offered);
  let taken = Resources.empty;
  for (const need of needed.unallocated().entries()) {
    const wanted = Resources.of(needed.filter((kind) => kind === need.kind).toMessages());
    const found = takeOne(available, wanted);
    if (found === undefined) return undefined;
    available = available.subtract(found);
    taken = taken.add(found);
  }
  return taken.toMessages(offered.some(({ reservations }) => reservations.length > 0) ? "post" : "pre");
}

/** As much of one need as each reservation of it can give, until it is met. */
function takeOne(available: Resources, wanted: Resources): Resources | undefined {
  const [name = ""] = [...wanted.entries()].map(({ kind }) => kind.name);
  const kinds = [...available.filter((kind) => kind.name === name).entries()]
    .map(({ kind }) => kind)
    .sort((a, b) => b.reservations.length - a.reservations.length);
  let open = wanted;
  let taken = Resources.empty;
  for (const source of kinds) {
    const here = available.filter((kind) => kind === source);
    const asHere = open.map(() => source);
    // What is here less what is wanted stays; the difference is what we can take.
    const part = here.subtract(here.subtract(asHere));
    taken = taken.add(part);
    open = open.subtract(part.map(() => [...wanted.entries()][0]?.kind ?? source));
    if (open.isEmpty) return taken;
  }
  return undefined;
}

/** The task to launch with an offer that can carry it; undefined when it cannot. */
export function taskFor(job: Job, taskId: string, offer: Offer): TaskInfo | undefined {
  const resources = takeFrom(offer.resources, job.resources);
  if (resources === undefined || offer.agentId === undefined) return undefined;
  const container = containerOf(job);
  return create(TaskInfoSchema, {
    name: job.name,
    taskId: { value: taskId },
    agentId: offer.agentId,
    resources,
    command: commandOf(job),
    ...(container && { container }),
  });
}
