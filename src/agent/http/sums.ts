import { create } from "@bufbuild/protobuf";
import { type Resource, ResourceSchema, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { thousandthsOf } from "../../mesos/quantity.ts";
import { Resources } from "../../mesos/resources.ts";
import { resourcesSummary } from "../../mesos/resources-text.ts";

/**
 * /state sums the resources of every executor and task at each request: a thousand of them, nearly all plain scalars.
 * Those are added here; only what is not plain goes through the whole algebra.
 */
interface Parts {
  /** Thousandths by name. */
  readonly plain: Map<string, number>;
  readonly others: Resource[];
}

/** A scalar that nobody reserved, without any other mark (an allocation does not count as one). */
function isPlain(resource: Resource): boolean {
  return (
    resource.type === Value_Type.SCALAR &&
    resource.reservations.length === 0 &&
    resource.reservation === undefined &&
    (resource.role === "*" || resource.role === "") &&
    resource.disk === undefined &&
    resource.revocable === undefined &&
    resource.shared === undefined &&
    resource.providerId === undefined
  );
}

function partsOf(resources: Iterable<Resource>): Parts {
  const plain = new Map<string, number>();
  const others: Resource[] = [];
  for (const resource of resources) {
    if (isPlain(resource)) {
      const value = thousandthsOf(resource.scalar?.value ?? 0);
      plain.set(resource.name, (plain.get(resource.name) ?? 0) + value);
    } else others.push(resource);
  }
  return { plain, others };
}

const NOTHING: Readonly<Record<string, number>> = { cpus: 0, gpus: 0, mem: 0, disk: 0 };

/** The flat object of /state: `resourcesSummary` of the sum. */
export function summaryOf(resources: Iterable<Resource>): Record<string, number | string> {
  const { plain, others } = partsOf(resources);
  const sum: Record<string, number | string> =
    others.length === 0 ? { ...NOTHING } : resourcesSummary(Resources.of(others).unallocated());
  for (const [name, thousandths] of plain) {
    const known = sum[name];
    sum[name] = (thousandthsOf(typeof known === "number" ? known : 0) + thousandths) / 1000;
  }
  return sum;
}

/** The sum, without what it is allocated to. */
export function sumOf(resources: Iterable<Resource>): Resources {
  const { plain, others } = partsOf(resources);
  const scalars = [...plain].map(([name, thousandths]) =>
    create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value: thousandths / 1000 } }),
  );
  return Resources.of(others).unallocated().add(Resources.of(scalars));
}
