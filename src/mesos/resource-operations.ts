import { create } from "@bufbuild/protobuf";
import { MessageError } from "./codec.ts";
import { copyOf } from "./copy.ts";
import {
  type Offer_Operation,
  type Offer_Operation_GrowVolume,
  type Offer_Operation_ShrinkVolume,
  Offer_Operation_Type,
  type Resource,
  Value_ScalarSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "./ids.ts";
import { isDynamicallyReserved } from "./reservations.ts";
import { Resources } from "./resources.ts";

/** What an operation takes out of a bag of resources, and what it puts there instead. */
export interface Conversion {
  readonly consumed: Resources;
  readonly converted: Resources;
}

const refuse = (problem: string): never => {
  throw new MessageError("mesos.v1.Offer.Operation", problem);
};

const changed = (kind: Resource, change: (copy: Resource) => void): Resource => {
  const copy = copyOf(kind);
  change(copy);
  return copy;
};

/** Without the last dynamic reservation. */
function popReservation(resources: Resources): Resources {
  return resources.map((kind) =>
    changed(kind, (copy) => {
      copy.reservations = copy.reservations.slice(0, -1);
    }),
  );
}

/** The disk that a volume was made from. Sharing belongs to the volume, too. */
function withoutPersistence(resources: Resources): Resources {
  return resources.map((kind) =>
    changed(kind, (copy) => {
      delete copy.shared;
      if (copy.disk === undefined) return;
      delete copy.disk.persistence;
      delete copy.disk.volume;
      if (copy.disk.source === undefined) delete copy.disk;
    }),
  );
}

function all(resources: Resources, what: string, predicate: (kind: Resource) => boolean): Resources {
  for (const { kind } of resources.entries()) if (!predicate(kind)) refuse(`resource '${kind.name}' ${what}`);
  return resources;
}

/** One resource of an operation, which must be a volume. */
function volumeOf(resource: Resource | undefined, what: string): Resource {
  if (resource === undefined) return refuse(`'${what}' has no volume`);
  if (resource.disk?.persistence === undefined) return refuse(`resource '${resource.name}' is not a persistent volume`);
  return resource;
}

/** The same volume with another size, in MiB. */
const resized = (volume: Resource, size: number): Resource =>
  changed(volume, (copy) => {
    copy.scalar = create(Value_ScalarSchema, { value: size });
  });

function growVolume(grow: Offer_Operation_GrowVolume): Conversion {
  const volume = volumeOf(grow.volume, "grow_volume");
  const addition = grow.addition ?? refuse("'grow_volume' has no addition");
  if (addition.name !== "disk") return refuse(`a volume cannot grow by '${addition.name}'`);
  const size = (volume.scalar?.value ?? 0) + (addition.scalar?.value ?? 0);
  return { consumed: Resources.of([volume, addition]), converted: Resources.of([resized(volume, size)]) };
}

function shrinkVolume(shrink: Offer_Operation_ShrinkVolume): Conversion {
  const volume = volumeOf(shrink.volume, "shrink_volume");
  const by = shrink.subtract?.value ?? 0;
  const left = (volume.scalar?.value ?? 0) - by;
  if (by <= 0 || left <= 0) return refuse(`a volume of ${volume.scalar?.value ?? 0} cannot shrink by ${by}`);
  const freed = withoutPersistence(Resources.of([resized(volume, by)]));
  return { consumed: Resources.of([volume]), converted: Resources.of([resized(volume, left)]).add(freed) };
}

/**
 * What RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME do to resources. Throws a MessageError for an operation that is malformed,
 * or not one of these.
 */
export function conversionOf(operation: Offer_Operation): Conversion {
  const volume = (kind: Resource): boolean => kind.disk?.persistence !== undefined;
  switch (operation.type) {
    case Offer_Operation_Type.RESERVE: {
      const wanted = Resources.of(operation.reserve?.resources ?? refuse("'reserve' is not set"));
      const converted = all(wanted, "is not dynamically reserved", isDynamicallyReserved);
      const source = operation.reserve?.source ?? [];
      return { consumed: source.length > 0 ? Resources.of(source) : popReservation(converted), converted };
    }
    case Offer_Operation_Type.UNRESERVE: {
      const given = Resources.of(operation.unreserve?.resources ?? refuse("'unreserve' is not set"));
      const consumed = all(given, "is not dynamically reserved", isDynamicallyReserved);
      all(consumed, "is a persistent volume: destroy it first", (kind) => !volume(kind));
      return { consumed, converted: popReservation(consumed) };
    }
    case Offer_Operation_Type.CREATE: {
      const wanted = Resources.of(operation.create?.volumes ?? refuse("'create' is not set"));
      const converted = all(wanted, "is not a persistent volume", volume);
      for (const { kind } of converted.entries()) {
        // It becomes the name of a folder.
        const problem = idProblem(kind.disk?.persistence?.id ?? "");
        if (problem !== undefined) refuse(`persistence id '${kind.disk?.persistence?.id}' ${problem}`);
      }
      return { consumed: withoutPersistence(converted), converted };
    }
    case Offer_Operation_Type.DESTROY: {
      const given = Resources.of(operation.destroy?.volumes ?? refuse("'destroy' is not set"));
      const consumed = all(given, "is not a persistent volume", volume);
      return { consumed, converted: withoutPersistence(consumed) };
    }
    case Offer_Operation_Type.GROW_VOLUME:
      return growVolume(operation.growVolume ?? refuse("'grow_volume' is not set"));
    case Offer_Operation_Type.SHRINK_VOLUME:
      return shrinkVolume(operation.shrinkVolume ?? refuse("'shrink_volume' is not set"));
    default:
      return refuse("this operation does not convert resources at once");
  }
}

/** Without `allocation_info`, as totals are: a framework's operation carries it on everything. */
export const unallocatedConversion = ({ consumed, converted }: Conversion): Conversion => ({
  consumed: consumed.unallocated(),
  converted: converted.unallocated(),
});

/** Every resource that an operation names. */
function resourcesIn(operation: Offer_Operation): readonly (Resource | undefined)[] {
  const { reserve, unreserve, create: made, destroy, growVolume: grow, shrinkVolume: shrink } = operation;
  return [
    ...(reserve === undefined ? [] : [...reserve.resources, ...reserve.source]),
    ...(unreserve?.resources ?? []),
    ...(made?.volumes ?? []),
    ...(destroy?.volumes ?? []),
    ...(grow === undefined ? [] : [grow.volume, grow.addition]),
    ...(shrink === undefined ? [] : [shrink.volume]),
    ...(operation.createDisk === undefined ? [] : [operation.createDisk.source]),
    ...(operation.destroyDisk === undefined ? [] : [operation.destroyDisk.source]),
  ];
}

/**
 * The id of the resource provider whose resources an operation is about; undefined for the agent's own. Throws a
 * MessageError when it names no resources, or those of several.
 */
export function providerOf(operation: Offer_Operation): string | undefined {
  const providers = new Set(resourcesIn(operation).map((resource) => resource?.providerId?.value));
  if (providers.size === 0) return refuse("it names no resources");
  if (providers.size > 1) return refuse("its resources are of several resource providers");
  return [...providers][0];
}

/** `total` after an operation. Throws a MessageError when it does not hold what the operation takes. */
export function applyConversion(total: Resources, { consumed, converted }: Conversion): Resources {
  if (!total.contains(consumed)) refuse("the resources do not hold what the operation takes");
  return total.subtract(consumed).add(converted);
}

/**
 * Checkpointed resources without their dynamic reservations and volumes: what an agent must have configured to carry
 * them. A master that is sent more than that aborts.
 */
export function configuredForm(checkpointed: Resources): Resources {
  let bare = withoutPersistence(checkpointed.unallocated());
  while (!bare.filter(isDynamicallyReserved).isEmpty) {
    const dynamic = bare.filter(isDynamicallyReserved);
    bare = bare.filter((kind) => !isDynamicallyReserved(kind)).add(popReservation(dynamic));
  }
  return bare;
}
