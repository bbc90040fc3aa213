import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Resource, Value_Scalar } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Value_Type } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { QuotaConfig, QuotaRequest, QuotaStatusSchema } from "../mesos/gen/mesos/v1/quota/quota_pb.ts";
import { thousandthsOf } from "../mesos/quantity.ts";
import { roleProblem } from "../mesos/reservations.ts";
import type { Cluster } from "./cluster.ts";
import { type Amounts, consumedByRole } from "./consumption.ts";
import { type Outcome, outcome } from "./negotiation.ts";

/** What is kept free for a role, and what it may have at most: of names that are not there nothing is, and it may have all. */
export interface Quota {
  readonly guarantees: Amounts;
  readonly limits: Amounts;
}

const amountsOf = (scalars: { readonly [name: string]: Value_Scalar }): Amounts =>
  new Map(Object.entries(scalars).map(([name, { value }]) => [name, thousandthsOf(value)]));

const scalarsOf = (amounts: Amounts) =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, { value: amount / 1000 }]));

const text = (amounts: Amounts): string =>
  [...amounts].map(([name, amount]) => `${name}:${amount / 1000}`).join("; ") || "{}";

/** The first of these names of which there is less than asked for. */
const short = (asked: Amounts, had: Amounts): string | undefined =>
  [...asked].find(([name, amount]) => amount > (had.get(name) ?? Number.POSITIVE_INFINITY))?.[0];

/** A trillion, and of memory and disk an exabyte in MB: what masters take at most. */
const LARGEST = 1e12 * 1000;
const LARGEST_MEGABYTES = 1024 ** 4 * 1000;

function amountProblem(what: string, amounts: Amounts): string | undefined {
  for (const [name, amount] of amounts) {
    if (!(amount >= 0)) return `Invalid ${what} configuration {'${name}': ${amount / 1000}}`;
    if (amount > (name === "mem" || name === "disk" ? LARGEST_MEGABYTES : LARGEST))
      return `Invalid 'QuotaConfig.${what}s': {'${name}': ${amount / 1000}} is invalid: it is too large`;
  }
  return undefined;
}

function configProblem(role: string, { guarantees, limits }: Quota): string | undefined {
  if (role.includes("/")) return `Updating quota on nested role '${role}' is not supported yet`;
  const wrong = role === "" ? "it is empty" : roleProblem(role);
  if (wrong !== undefined) return `Invalid QuotaConfig: Invalid 'QuotaConfig.role': ${wrong}`;
  const problem = amountProblem("guarantee", guarantees) ?? amountProblem("limit", limits);
  if (problem !== undefined) return `Invalid QuotaConfig: ${problem}`;
  if (short(guarantees, limits) === undefined) return undefined;
  return `Invalid QuotaConfig: 'QuotaConfig.guarantees' ${text(guarantees)} is not contained within the 'QuotaConfig.limits' ${text(limits)}`;
}

/** What a guarantee in the old form is refused for. */
function guaranteeProblem(guarantee: readonly Resource[]): string | undefined {
  if (guarantee.length === 0) return "QuotaInfo with empty 'guarantee'";
  const names = new Set<string>();
  for (const { name, type, reservations, disk, revocable } of guarantee) {
    if (reservations.length > 0) return "QuotaInfo must not contain any ReservationInfo";
    if (disk !== undefined) return "QuotaInfo must not contain DiskInfo";
    if (revocable !== undefined) return "QuotaInfo must not contain RevocableInfo";
    if (type !== Value_Type.SCALAR) return "QuotaInfo must not include non-scalar resources";
    if (names.has(name)) return `QuotaInfo contains duplicate resource name '${name}'`;
    names.add(name);
  }
  return undefined;
}

/** Quotas as operators set them; the allocator holds to them. */
export class Quotas {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** GET_QUOTA, the old form beside the new one. */
  get status(): MessageInitShape<typeof QuotaStatusSchema> {
    const all = [...this.#cluster.quotas].sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      configs: all.map(([role, { guarantees, limits }]) => ({
        role,
        guarantees: scalarsOf(guarantees),
        limits: scalarsOf(limits),
      })),
      infos: all
        .filter(([, { guarantees }]) => guarantees.size > 0)
        .map(([role, { guarantees }]) => ({
          role,
          guarantee: [...guarantees].map(([name, amount]) => ({
            name,
            type: Value_Type.SCALAR,
            scalar: { value: amount / 1000 },
          })),
        })),
    };
  }

  /** UPDATE_QUOTA: all of them or none. `force`: whether the cluster has that much is not asked. */
  update(configs: readonly QuotaConfig[], force: boolean): Outcome {
    const wanted = new Map<string, Quota>();
    for (const { role, guarantees, limits } of configs) {
      const quota = { guarantees: amountsOf(guarantees), limits: amountsOf(limits) };
      const problem = configProblem(role, quota);
      if (problem !== undefined) return outcome(400, problem);
      wanted.set(role, quota);
    }
    const problem = force ? undefined : this.#excess(wanted);
    if (problem !== undefined) return outcome(400, `Invalid QuotaConfig: ${problem}`);
    for (const [role, quota] of wanted) this.#set(role, quota);
    return outcome(200);
  }

  #set(role: string, quota: Quota): void {
    const { log } = this.#cluster.context;
    log.info(`Quota of role ${role}: at least ${text(quota.guarantees)}, at most ${text(quota.limits)}`);
    // Nothing at least and nothing at most is no quota.
    if (quota.guarantees.size === 0 && quota.limits.size === 0) this.#cluster.quotas.delete(role);
    else this.#cluster.quotas.set(role, quota);
    this.#cluster.offerAnew();
  }

  /** Why these cannot hold: a role has more already, or the cluster has not that much. */
  #excess(wanted: ReadonlyMap<string, Quota>): string | undefined {
    const consumed = consumedByRole(this.#cluster);
    for (const [role, { limits }] of wanted) {
      const has = consumed.get(role) ?? new Map<string, number>();
      const name = [...limits].find(([each, amount]) => (has.get(each) ?? 0) > amount)?.[0];
      if (name !== undefined)
        return `Role '${role}' is already consuming '${text(has)}'; this is more than the requested limits '${text(limits)}' (use 'force' flag to bypass this check)`;
    }
    const guaranteed = new Map<string, number>();
    for (const { guarantees } of new Map([...this.#cluster.quotas, ...wanted]).values())
      for (const [name, amount] of guarantees) guaranteed.set(name, (guaranteed.get(name) ?? 0) + amount);
    const capacity = new Map(
      [...guaranteed.keys()].map((name) => [name, thousandthsOf(this.#cluster.total?.scalar(name) ?? 0)]),
    );
    if (short(guaranteed, capacity) === undefined) return undefined;
    return `total quota guarantees '${text(guaranteed)}' exceed cluster capacity '${text(capacity)}' (use 'force' flag to bypass this check)`;
  }

  /** SET_QUOTA, the older call: what is guaranteed is the limit, too. */
  set({ role, guarantee, force }: QuotaRequest): Outcome {
    const refuse = (problem: string): Outcome => outcome(400, `Failed to validate set quota request: ${problem}`);
    const wrong = role === "" ? "it is empty" : roleProblem(role);
    if (wrong !== undefined) return refuse(`QuotaInfo with invalid role: ${wrong}`);
    const problem = guaranteeProblem(guarantee);
    if (problem !== undefined) return refuse(problem);
    if (role.includes("/")) return outcome(400, `Setting quota on nested role '${role}' is not supported yet`);
    if (this.#cluster.quotas.has(role)) return refuse(`Cannot set quota for role '${role}' which already has quota`);
    const amounts = new Map(guarantee.map(({ name, scalar }) => [name, thousandthsOf(scalar?.value ?? 0)]));
    const quota = { guarantees: amounts, limits: amounts };
    const excess = force ? undefined : this.#excess(new Map([[role, quota]]));
    if (excess !== undefined) return outcome(409, `Quota guarantees overcommit the cluster: ${excess}`);
    this.#set(role, quota);
    return outcome(200);
  }

  /** REMOVE_QUOTA */
  remove(role: string): Outcome {
    if (!this.#cluster.quotas.has(role)) return outcome(400, `Failed to remove quota: role '${role}' has no quota set`);
    this.#set(role, { guarantees: new Map(), limits: new Map() });
    return outcome(200);
  }
}
