import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { messageOf, UserError } from "../base/errors.ts";
import {
  type Resource,
  Resource_DiskInfo_Source_Type,
  Resource_ReservationInfo_Type,
  ResourceSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import { fromJson } from "./json.ts";
import { type Json, parseJson } from "./json-text.ts";
import { addQuantities, formatQuantity, type Quantity, valueMembers } from "./quantity.ts";
import { reservationRole, roleProblem } from "./reservations.ts";
import { Resources, resourceProblem } from "./resources.ts";
import { parseValue } from "./values-text.ts";

const EXAMPLE = "write name:value items separated by ';', for example cpus:4;mem:8192;ports(web):[31000-32000]";

const refuse = (problem: string, fix = EXAMPLE): never => {
  throw new UserError(problem, fix);
};

function parseItem(item: string, text: string, defaultRole: string): MessageInitShape<typeof ResourceSchema> {
  const parts = item.split(":");
  const [head = "", value = ""] = parts;
  if (parts.length !== 2 || value.trim() === "") refuse(`missing or extra ':' at '${item}' in resources '${text}'`);
  const match = /^\s*([^()]+?)\s*(?:\(\s*([^()]*?)\s*\))?\s*$/.exec(head);
  if (match === null) return refuse(`'${head}' in resources '${text}' is not name or name(role)`);
  const [, name = "", role = defaultRole] = match;
  const problem = roleProblem(role);
  if (problem !== undefined) refuse(`resource '${name}': ${problem}`);
  const parsed = parseValue(value);
  if (parsed.kind === "text")
    return refuse(`the value '${value}' of resource '${name}' is not a number, ranges or set`);
  return { name, ...valueMembers(parsed), ...(role !== "*" && { role }) };
}

function fromText(text: string, defaultRole: string): Resource[] {
  return text
    .split(/[;\n]/)
    .filter((item) => item.trim() !== "")
    .map((item) => create(ResourceSchema, parseItem(item, text, defaultRole)));
}

/** What an operator may not give on the command line, in its JSON form. */
function operatorProblem(resource: Resource): string | undefined {
  const { name, disk } = resource;
  if (resource.revocable !== undefined) return `resource '${name}' is revocable, which an operator cannot give`;
  const dynamic = resource.reservations.some(({ type }) => type === Resource_ReservationInfo_Type.DYNAMIC);
  if (dynamic || resource.reservation !== undefined)
    return `resource '${name}' is dynamically reserved, which is done at run time`;
  if (disk?.persistence !== undefined) return `resource '${name}' is a persistent volume, which is created at run time`;
  const type = disk?.source?.type;
  if (type === Resource_DiskInfo_Source_Type.BLOCK || type === Resource_DiskInfo_Source_Type.RAW)
    return `resource '${name}' has a BLOCK or RAW disk source, which only resource providers have`;
  return undefined;
}

function fromJsonArray(items: readonly Json[], defaultRole: string): Resource[] {
  return items.map((item, index) => {
    let resource: Resource;
    try {
      resource = fromJson(ResourceSchema, item);
    } catch (error) {
      return refuse(`element ${index} of the resources: ${messageOf(error)}`, "see Resource in mesos.proto");
    }
    if (!Object.hasOwn(resource, "role") && resource.reservations.length === 0 && defaultRole !== "*")
      resource.role = defaultRole;
    const problem = operatorProblem(resource);
    if (problem !== undefined) refuse(problem, "remove it from the list");
    return resource;
  });
}

/**
 * The value of `--resources`: Mesos' text form, or a JSON array of Resource. Empty text is no resources; a zero is
 * accepted and dropped. Throws a UserError.
 */
export function parseResources(text: string, defaultRole = "*"): Resources {
  return Resources.of(parseResourceList(text, defaultRole));
}

/** As parseResources, but one by one as written, zeros included. */
export function parseResourceList(text: string, defaultRole = "*"): Resource[] {
  const json = text.trimStart().startsWith("[") ? jsonOf(text) : undefined;
  const list = Array.isArray(json) ? fromJsonArray(json as readonly Json[], defaultRole) : fromText(text, defaultRole);
  const types = new Map<string, number>();
  for (const resource of list) {
    const problem = resourceProblem(resource);
    if (problem !== undefined) refuse(problem);
    const known = types.get(resource.name);
    if (known !== undefined && known !== resource.type)
      refuse(`resource '${resource.name}' is given with values of different types`);
    types.set(resource.name, resource.type);
  }
  return list;
}

function jsonOf(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    return refuse(
      `the resources are not JSON: ${messageOf(error)}`,
      "write a JSON array of resources, or the text form",
    );
  }
}

function diskText({ disk }: Resource): string {
  if (disk === undefined) return "";
  const parts: string[] = [];
  const source = disk.source;
  if (source !== undefined) {
    const root = source.path?.root ?? source.mount?.root;
    const type = Object.entries(Resource_DiskInfo_Source_Type).find(([, value]) => value === source.type)?.[0];
    parts.push(root === undefined || root === "" ? `${type}` : `${type}:${root}`);
  }
  if (disk.persistence !== undefined) parts.push(disk.persistence.id);
  const volume = disk.volume === undefined ? "" : `:${disk.volume.containerPath}`;
  return `[${parts.join(",")}${volume}]`;
}

function reservationsText(kind: Resource): string {
  const levels = kind.reservations.map(({ type, role, principal, labels }) => {
    const name = type === Resource_ReservationInfo_Type.STATIC ? "STATIC" : "DYNAMIC";
    const tags = labels?.labels.map(({ key, value }) => `${key}: ${value}`).join(", ");
    return `(${[name, role, principal, tags && `{${tags}}`].filter((part) => part).join(",")})`;
  });
  return levels.length === 0 ? "" : `(reservations: [${levels.join(",")}])`;
}

function kindText(kind: Resource, era: "0.24" | "1.x"): string {
  const disk = diskText(kind);
  const revocable = kind.revocable === undefined ? "" : "{REV}";
  if (era === "1.x") {
    const allocated = kind.allocationInfo === undefined ? "" : `(allocated: ${kind.allocationInfo.role})`;
    const shared = kind.shared === undefined ? "" : "<SHARED>";
    return `${kind.name}${allocated}${reservationsText(kind)}${disk}${revocable}${shared}`;
  }
  const last = kind.reservations.at(-1);
  const principal = last?.type === Resource_ReservationInfo_Type.DYNAMIC && last.principal ? `, ${last.principal}` : "";
  return `${kind.name}(${reservationRole(kind)}${principal})${disk}${revocable}`;
}

/** One line for logs: `cpus:4; mem:1024` as Mesos 1.x prints it, `cpus(*):4; mem(*):1024` as 0.24 did. */
export function formatResources(resources: Resources, era: "0.24" | "1.x" = "1.x"): string {
  const items: string[] = [];
  for (const { kind, quantity, copies } of resources.entries()) {
    const text = `${kindText(kind, era)}:${formatQuantity(quantity)}`;
    items.push(copies > 1 ? `${text}<${copies}>` : text);
  }
  return items.join("; ");
}

/**
 * The flat object of /state: name to number, or to text for ranges and sets; revocable ones as `cpus_revocable`. cpus,
 * mem, disk and (1.x) gpus are always there.
 */
export function resourcesSummary(resources: Resources): Record<string, number | string> {
  const sums = new Map<string, Quantity>(
    ["cpus", "gpus", "mem", "disk"].map((name) => [name, { kind: "scalar", thousandths: 0 }]),
  );
  for (const { kind, quantity } of resources.entries()) {
    const name = kind.revocable === undefined ? kind.name : `${kind.name}_revocable`;
    const known = sums.get(name);
    sums.set(name, known === undefined || known.kind !== quantity.kind ? quantity : addQuantities(known, quantity));
  }
  return Object.fromEntries(
    [...sums].map(([name, sum]) => [name, sum.kind === "scalar" ? sum.thousandths / 1000 : formatQuantity(sum)]),
  );
}
