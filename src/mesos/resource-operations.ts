import { clone } from "@bufbuild/protobuf";
import { MessageError } from "./codec.ts";
import { type Offer_Operation, Offer_Operation_Type, type Resource, ResourceSchema } from "./gen/mesos/v1/mesos_pb.ts";
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
  const copy = clone(ResourceSchema, kind);
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

/**
 * What RESERVE, UNRESERVE, CREATE and DESTROY do to resources. Throws a MessageError for an operation that is malformed,
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
      return { consumed: withoutPersistence(converted), converted };
    }
    case Offer_Operation_Type.DESTROY: {
      const given = Resources.of(operation.destroy?.volumes ?? refuse("'destroy' is not set"));
      const consumed = all(given, "is not a persistent volume", volume);
      return { consumed, converted: withoutPersistence(consumed) };
    }
    default:
      return refuse("this operation does not convert resources at once");
  }
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
