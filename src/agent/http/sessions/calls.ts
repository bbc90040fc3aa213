import { messageOf, UserError } from "../../../base/errors.ts";
import { type Answer, text } from "../../../http/answer.ts";
import type { HttpRequest } from "../../../http/request.ts";
import { type Call, Call_AttachContainerInput_Type, Call_Type } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import type { ContainerID } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type Subject, subjectText } from "../../authorization/subject.ts";
import { TaskFailure, Unavailable } from "../../model/failure.ts";
import { type ContainerChain, chainText } from "../../model/nested.ts";
import type { Session, SessionOrder, Sessions } from "../../model/session.ts";
import { commandEndMessage } from "../../model/wait-status.ts";
import { checkContainer, validChain } from "../containers/validate.ts";
import type { OperatorParts } from "../operator/handler.ts";
import type { Negotiated } from "../operator/negotiate.ts";
import { callsOf, inputOf, pumpInput } from "./input.ts";
import { outputAnswer } from "./output.ts";
import { shownCommand } from "./shown-command.ts";

/** Who asks, for the log. */
interface Who {
  readonly subject: Subject;
  readonly peer: string | undefined;
}

/** Who may be refused once the container is known that a stream is about. */
interface Asking extends Who {
  readonly mayAsk: (id: ContainerID) => Answer | undefined;
}

const OFF =
  "Nobody may look into running tasks here: the agent was started with --task_exec=disabled (the default). " +
  "Start it with --task_exec=enabled, or as ClusterD has it with --agent_subsystems=container_exec\n";

const shownContainer = (chain: ContainerChain): string =>
  `${chain.length > 1 ? "session" : "container"} ${chainText(chain)}`;

const shownWho = ({ subject, peer }: Who): string => `${subjectText(subject)} at ${peer ?? "an unknown address"}`;

/** An executor that has shown its token looks into its own tasks: that is how it checks them. */
const isOff = ({ view }: OperatorParts, { subject }: Who): boolean =>
  !view.exec.isEnabled && subject?.kind !== "executor";

/** LAUNCH_NESTED_CONTAINER_SESSION: the answer is the session's output, and the session ends with who reads it. */
async function open(parts: OperatorParts, order: SessionOrder, negotiated: Negotiated, who: Who): Promise<Answer> {
  const { view } = parts;
  const { log, clock, heartbeat } = view.exec;
  const { chain } = order;
  const sessions = view.containers.sessions(chain);
  if (sessions === undefined && view.containers.ownerOf(chain) !== undefined)
    return text(501, `The containerizer of ${chain[0]} has no sessions\n`);
  if (sessions === undefined) return text(400, `Root container ${chain[0]} not found`);
  let session: Session | "already";
  try {
    session = await sessions.open(order);
  } catch (error) {
    if (error instanceof TaskFailure || error instanceof UserError) return text(400, messageOf(error));
    if (error instanceof Unavailable) return text(503, `${messageOf(error)}\n`);
    throw error;
  }
  if (session === "already") return text(202, "");
  const opened = session;
  const begun = clock.monotonic();
  log.info(`Session ${chainText(chain)} of ${shownWho(who)}: ${shownCommand(order.command)}`);
  void opened.ended.then(({ status }) => {
    const seconds = ((clock.monotonic() - begun) / 1000).toFixed(1);
    log.info(`Session ${chainText(chain)} ended after ${seconds} s: ${commandEndMessage(status)}`);
  });
  return outputAnswer(opened, { clock, heartbeat, negotiated, closed: () => opened.kill() });
}

/** What is attached to: a session, or what is found by `attach` of a container's own process; or the answer that there is neither. */
async function find<T>(
  { view }: OperatorParts,
  chain: ContainerChain,
  attach: (sessions: Sessions) => Promise<T | undefined> | undefined,
): Promise<Session | T | Answer> {
  const sessions = view.containers.sessions(chain);
  try {
    const found = sessions?.of(chain) ?? (sessions && (await attach(sessions)));
    if (found !== undefined) return found;
  } catch (error) {
    if (error instanceof TaskFailure) return text(500, `${messageOf(error)}\n`);
    if (error instanceof Unavailable) return text(503, `${messageOf(error)}\n`);
    throw error;
  }
  const isThere =
    view.containers.ownerOf(chain) !== undefined &&
    (chain.length === 1 || (await view.containers.kept(chain)?.status(chain)) !== undefined);
  // The first words are those of Mesos.
  const why =
    "I/O switchboard server was disabled for this container: it is no session, and was launched without tty_info";
  return isThere ? text(500, `${why}\n`) : text(404, `Container ${chainText(chain)} cannot be found`);
}

/** Calls whose answer is a stream. Undefined: another call. Throws a UserError for one that is not valid. */
export async function sessionCall(
  parts: OperatorParts,
  call: Call,
  negotiated: Negotiated,
  who: Who,
): Promise<Answer | undefined> {
  if (call.type === Call_Type.LAUNCH_NESTED_CONTAINER_SESSION) {
    const { launchNestedContainerSession: launch } = call;
    if (launch === undefined) throw new UserError("Expecting 'launch_nested_container_session' to be present");
    const chain = validChain("launch_nested_container_session", launch.containerId, true);
    checkContainer("launch_nested_container_session", launch.container);
    if (launch.container?.linuxInfo?.shareCgroups === false)
      throw new UserError(
        "'launch_nested_container_session.container.linux_info' is invalid: 'share_cgroups' cannot be set to 'false' for nested container sessions",
      );
    if (isOff(parts, who)) return text(403, OFF);
    return await open(parts, { chain, command: launch.command, container: launch.container }, negotiated, who);
  }
  if (call.type === Call_Type.ATTACH_CONTAINER_OUTPUT) {
    const { attachContainerOutput: attach } = call;
    if (attach === undefined) throw new UserError("Expecting 'attach_container_output' to be present");
    const chain = validChain("attach_container_output", attach.containerId, false);
    if (isOff(parts, who)) return text(403, OFF);
    const found = await find(parts, chain, (sessions) => sessions.attachOutput?.(chain));
    if ("kind" in found) return found;
    const { log, clock, heartbeat } = parts.view.exec;
    log.info(`Output of ${shownContainer(chain)} attached by ${shownWho(who)}`);
    const closed = "leave" in found ? { closed: () => found.leave() } : {};
    return outputAnswer(found, { clock, heartbeat, negotiated, ...closed });
  }
  return undefined;
}

/** ATTACH_CONTAINER_INPUT: the request is a stream of records, and is answered when it ends. */
export async function attachInput(
  parts: OperatorParts,
  request: HttpRequest,
  negotiated: Negotiated,
  who: Asking,
): Promise<Answer> {
  const calls = callsOf(request.stream(), negotiated.request);
  try {
    const first = await calls.next();
    if (first.done) return text(400, "Received EOF while reading request body\n");
    const { value: call } = first;
    if (call.type !== Call_Type.ATTACH_CONTAINER_INPUT)
      return text(415, "Streaming 'Content-Type' application/recordio is supported for ATTACH_CONTAINER_INPUT only\n");
    const input = inputOf(call);
    if (input.type !== Call_AttachContainerInput_Type.CONTAINER_ID)
      return text(400, "Expecting 'attach_container_input.type' to be CONTAINER_ID");
    const chain = validChain("attach_container_input", input.containerId, false);
    const refused = input.containerId && who.mayAsk(input.containerId);
    if (refused !== undefined) return refused;
    if (isOff(parts, who)) return text(403, OFF);
    const found = await find(parts, chain, (sessions) => sessions.attachInput?.(chain));
    if ("kind" in found) return found;
    parts.view.exec.log.info(`Input of ${shownContainer(chain)} attached by ${shownWho(who)}`);
    try {
      return await pumpInput(found, calls);
    } finally {
      if ("leave" in found) found.leave();
    }
  } catch (error) {
    if (error instanceof UserError) return text(400, `Failed to validate agent::Call: ${error.message}\n`);
    throw error;
  }
}
