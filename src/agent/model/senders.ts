import type { DescMessage } from "@bufbuild/protobuf";
import type { Peer } from "../../libprocess/connection.ts";
import type { Reception, Receptions } from "../../libprocess/reception.ts";
import { isFor, namesOf } from "../../libprocess/tls-identity.ts";
import { addressOf, formatUPID, sameUPID, type UPID } from "../../libprocess/upid.ts";
import { MOST_OBJECTS, MOST_OBJECTS_OF_MASTER } from "../../mesos/cost.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  ApplyOperationMessageSchema,
  AuthenticationCompletedMessageSchema,
  AuthenticationErrorMessageSchema,
  AuthenticationFailedMessageSchema,
  AuthenticationMechanismsMessageSchema,
  AuthenticationStepMessageSchema,
  CheckpointResourcesMessageSchema,
  DrainSlaveMessageSchema,
  ExecutorToFrameworkMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  PingSlaveMessageSchema,
  ReconcileOperationsMessageSchema,
  RegisterExecutorMessageSchema,
  ReregisterExecutorMessageSchema,
  RunTaskGroupMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  ShutdownMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
  StatusUpdateAcknowledgementMessageSchema,
  StatusUpdateMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";

/**
 * Who may send what to the agent: every message that it takes, in one table. Mesos' own agent checks the sender of eight of
 * them (mesos-wire §3.1); no real master, scheduler or executor sends any from elsewhere than is written here.
 */
export type Sender =
  /** The leading master: exactly the process that is registered with. */
  | "master"
  /** Any process at the leading master's address: pings come from its observers, authentication from its sessions. */
  | "beside the master"
  /** The leading master, or the driver of a framework that has tasks here. Which framework's is looked at afterwards. */
  | "scheduler"
  /** The driver of an executor that is registered here. Which executor's is looked at afterwards. */
  | "executor"
  /** Nobody in particular can be told: an executor that is not registered yet, a master that is not known yet. */
  | "anybody";

export interface Row {
  readonly name: string;
  readonly from: Sender;
  /** Bytes. */
  readonly limit: number;
}

const KIB = 1024;
const MIB = 1024 ** 2;

const row = (schema: DescMessage, from: Sender, limit: number): Row => ({ name: schema.typeName, from, limit });

export const messageTable: readonly Row[] = [
  row(SlaveRegisteredMessageSchema, "master", 64 * KIB),
  // With every task that the master expects here.
  row(SlaveReregisteredMessageSchema, "master", 16 * MIB),
  row(ShutdownMessageSchema, "master", 64 * KIB),
  row(RunTaskMessageSchema, "master", 16 * MIB),
  row(RunTaskGroupMessageSchema, "master", 16 * MIB),
  row(KillTaskMessageSchema, "master", 64 * KIB),
  row(ShutdownFrameworkMessageSchema, "master", 64 * KIB),
  row(ShutdownExecutorMessageSchema, "master", 64 * KIB),
  row(UpdateFrameworkMessageSchema, "master", 4 * MIB),
  row(DrainSlaveMessageSchema, "master", 64 * KIB),
  row(CheckpointResourcesMessageSchema, "master", 16 * MIB),
  row(ApplyOperationMessageSchema, "master", 16 * MIB),
  row(AcknowledgeOperationStatusMessageSchema, "master", 64 * KIB),
  row(ReconcileOperationsMessageSchema, "master", 16 * MIB),
  row(AuthenticationMechanismsMessageSchema, "beside the master", 64 * KIB),
  row(AuthenticationStepMessageSchema, "beside the master", 64 * KIB),
  row(AuthenticationCompletedMessageSchema, "beside the master", 64 * KIB),
  row(AuthenticationFailedMessageSchema, "beside the master", 64 * KIB),
  row(AuthenticationErrorMessageSchema, "beside the master", 64 * KIB),
  // Answered in every state, also before a master is known; what it says only counts from beside the master.
  row(PingSlaveMessageSchema, "anybody", 4 * KIB),
  { name: "PING", from: "anybody", limit: 4 * KIB },
  row(FrameworkToExecutorMessageSchema, "scheduler", 16 * MIB),
  // Old drivers acknowledge by themselves, and the master may not have told their address yet. What is acknowledged is named
  // by 16 random bytes that only those know who got the update; who calls itself a master is looked at besides.
  row(StatusUpdateAcknowledgementMessageSchema, "anybody", 4 * KIB),
  row(RegisterExecutorMessageSchema, "anybody", 16 * KIB),
  row(ReregisterExecutorMessageSchema, "executor", 16 * MIB),
  row(StatusUpdateMessageSchema, "executor", 4 * MIB),
  row(ExecutorToFrameworkMessageSchema, "executor", 16 * MIB),
];

/** Those whom the table speaks of, as they are now. */
export interface Parties {
  /** The leading master; undefined: none is known. */
  readonly master: () => UPID | undefined;
  /** What is wrong with the connection that something of the master came by; undefined: nothing. */
  readonly masterConnectionProblem: (peer: Peer) => string | undefined;
  /** Whether that is the driver of a framework that has tasks here. */
  readonly isScheduler: (from: UPID) => boolean;
  /** Whether that is the driver of an executor that is registered here. */
  readonly isExecutor: (from: UPID) => boolean;
}

/** Whether a process is at the master's address, as its observers are. */
export const isBesideMaster = (from: UPID | undefined, master: UPID | undefined): boolean =>
  from !== undefined && master !== undefined && addressOf(from) === addressOf(master);

/**
 * What is wrong with a connection as the master's, when it must prove that by a certificate for one of the master's `names`
 * (--require_master_certificate); undefined: nothing.
 */
export function certificateProblem({ certificate }: Peer, names: readonly (string | undefined)[]): string | undefined {
  if (certificate === undefined) return "its connection shows no certificate";
  if (names.some((name) => name !== undefined && name !== "" && isFor(certificate, name))) return undefined;
  return `its certificate is for ${namesOf(certificate)}, and not for the master`;
}

const HINT = "if both are the same master, --master must name the address that it announces itself";

function objectionTo(sender: Sender, parties: Parties): NonNullable<Reception["objection"]> | undefined {
  if (sender === "anybody") return undefined;
  return (from, peer) => {
    const master = parties.master();
    const isMaster = sender === "beside the master" ? isBesideMaster(from, master) : sameUPID(from, master);
    if (isMaster && sender !== "executor") return parties.masterConnectionProblem(peer);
    switch (sender) {
      case "scheduler":
        return from !== undefined && parties.isScheduler(from) ? undefined : "no framework here has that driver";
      case "executor":
        return from !== undefined && parties.isExecutor(from)
          ? undefined
          : "no executor here has registered from there";
      default:
        return `it is not the leading master, ${formatUPID(master)} (${HINT})`;
    }
  };
}

/** The table, as the port asks it. What is not in it is not taken. */
export function receptionsOf(parties: Parties): Receptions {
  const receptions = new Map<string, Reception>(
    messageTable.map(({ name, from, limit }) => {
      const objects = from === "master" ? MOST_OBJECTS_OF_MASTER : MOST_OBJECTS;
      const objection = objectionTo(from, parties);
      return [name, { limit, objects, ...(objection !== undefined && { objection }) }];
    }),
  );
  return (name) => receptions.get(name);
}
