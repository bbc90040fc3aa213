import { isFieldSet } from "@bufbuild/protobuf";
import {
  RLimitInfo_RLimit_Type as LimitType,
  type RLimitInfo,
  type RLimitInfo_RLimit,
  RLimitInfo_RLimitSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { TaskFailure } from "../../model/failure.ts";
import type { ResourceLimit } from "./request.ts";

/** The kernel's numbers, the same on x86_64 and arm64. */
const LIMIT_NUMBERS: Readonly<Record<number, number>> = {
  [LimitType.RLMT_CPU]: 0,
  [LimitType.RLMT_FSIZE]: 1,
  [LimitType.RLMT_DATA]: 2,
  [LimitType.RLMT_STACK]: 3,
  [LimitType.RLMT_CORE]: 4,
  [LimitType.RLMT_RSS]: 5,
  [LimitType.RLMT_NPROC]: 6,
  [LimitType.RLMT_NOFILE]: 7,
  [LimitType.RLMT_MEMLOCK]: 8,
  [LimitType.RLMT_AS]: 9,
  [LimitType.RLMT_LOCKS]: 10,
  [LimitType.RLMT_SIGPENDING]: 11,
  [LimitType.RLMT_MSGQUEUE]: 12,
  [LimitType.RLMT_NICE]: 13,
  [LimitType.RLMT_RTPRIO]: 14,
  [LimitType.RLMT_RTTIME]: 15,
};

const limitName = (type: LimitType): string =>
  Object.entries(LimitType).find(([, value]) => value === type)?.[0] ?? `${type}`;

function planLimit(limit: RLimitInfo_RLimit): ResourceLimit {
  const { type, soft, hard } = limit;
  const resource = LIMIT_NUMBERS[type];
  if (resource === undefined) throw TaskFailure.launch(`The resource limit ${limitName(type)} is unknown`);
  const fields = RLimitInfo_RLimitSchema.field;
  const given = [isFieldSet(limit, fields.soft), isFieldSet(limit, fields.hard)];
  if (given[0] !== given[1]) {
    throw TaskFailure.launch(`The resource limit ${limitName(type)} needs both soft and hard, or neither`);
  }
  if (!given[0]) return { resource, soft: undefined, hard: undefined };
  if (soft > hard)
    throw TaskFailure.launch(`The resource limit ${limitName(type)} has a soft value above its hard one`);
  return { resource, soft, hard };
}

/** ContainerInfo.rlimit_info for setrlimit(2); no values mean no limit. Throws a TaskFailure that names the limit. */
export function planResourceLimits(info: RLimitInfo | undefined): ResourceLimit[] {
  return (info?.rlimits ?? []).map(planLimit);
}
