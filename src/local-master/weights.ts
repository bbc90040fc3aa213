import type { WeightInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { roleProblem } from "../mesos/reservations.ts";
import type { Cluster } from "./cluster.ts";
import { type Outcome, outcome } from "./negotiation.ts";

/** UPDATE_WEIGHTS: all of them or none. A role of weight 2 is offered twice as much as one of weight 1 that wants as much. */
export function updateWeights(cluster: Cluster, infos: readonly WeightInfo[]): Outcome {
  const wanted = new Map<string, number>();
  for (const { role: given, weight } of infos) {
    const role = given.trim();
    const refuse = (problem: string): Outcome =>
      outcome(400, `Failed to validate update weights request JSON: ${problem}`);
    const problem = role === "" ? "it is empty" : roleProblem(role);
    if (problem !== undefined) return refuse(`Invalid role '${role}': ${problem}`);
    if (!(weight > 0)) return refuse(`Invalid weight '${weight}' of role '${role}': Weights must be positive`);
    wanted.set(role, weight);
  }
  for (const [role, weight] of wanted) {
    cluster.context.log.info(`Weight of role ${role}: ${weight}`);
    cluster.weights.set(role, weight);
  }
  cluster.offerAnew();
  return outcome(200);
}
