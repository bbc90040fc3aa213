import { sameUPID, type UPID } from "../../libprocess/upid.ts";

/**
 * What the agent is to its master.
 *
 *   idle ──leader──▶ delayed ──due──▶ authenticating ──ok──▶ registering ──answer──▶ running
 *     ▲                │ ▲    └────────no credential────────▶    │ ▲ │due: again         │
 *     └──no leader─────┴─┼─────────────────────────────────◀─────┘ └─┘                   │
 *                        └──────leader, link broken, ping timeout, disconnected──────────┘
 *   refused: the master will never take us (or we must not go on); left by a detector event only
 *   terminating: shutting down; never left
 */
export type Phase = "idle" | "delayed" | "authenticating" | "registering" | "running" | "refused" | "terminating";

export interface RegistrationState {
  readonly phase: Phase;
  readonly master: UPID | undefined;
  readonly authenticated: boolean;
  /** Registrations sent since the wait was last reset. */
  readonly attempts: number;
}

export const INITIAL_STATE: RegistrationState = {
  phase: "idle",
  master: undefined,
  authenticated: false,
  attempts: 0,
};

export type RegistrationEvent =
  | { readonly kind: "detected"; readonly master: UPID | undefined }
  /** `lived`: milliseconds that the link was connected; undefined when it could not be made. */
  | { readonly kind: "link-broken"; readonly master: UPID; readonly lived: number | undefined }
  | { readonly kind: "due" }
  | { readonly kind: "authenticated" }
  | { readonly kind: "credential-refused" }
  | {
      readonly kind: "answered";
      readonly from: UPID | undefined;
      readonly id: string;
      readonly known: string | undefined;
    }
  | { readonly kind: "ping"; readonly connected: boolean }
  | { readonly kind: "ping-timeout" }
  | { readonly kind: "shutdown"; readonly from: UPID | undefined }
  | { readonly kind: "terminate" };

export type Refusal = "credential" | "other-id";

export type Action =
  /** Stop the timers and the authentication that are under way. */
  | { readonly do: "cancel" }
  /** Close the link, so that the next one is fresh. */
  | { readonly do: "unlink" }
  /** Raise `due` after so many milliseconds. */
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "authenticate" }
  | { readonly do: "register" }
  /** Tell why no answer may have come; `attempts` have been made. */
  | { readonly do: "explain"; readonly attempts: number }
  | { readonly do: "announce"; readonly duplicate: boolean }
  /** (Re)start waiting for pings. */
  | { readonly do: "expect-pings" }
  | { readonly do: "disconnected"; readonly why: string }
  | { readonly do: "refuse"; readonly refusal: Refusal }
  | { readonly do: "shutdown" }
  | { readonly do: "ignore"; readonly from: UPID | undefined; readonly why: string };

export interface RegistrationSettings {
  /** Milliseconds: --registration_backoff_factor. */
  readonly factor: number;
  readonly hasCredential: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Milliseconds that no wait between registrations exceeds. */
const LONGEST_WAIT = 60_000;
/** A link that lived so many milliseconds was a real one: its end resets the wait. */
const REAL_LINK = 10_000;

/** Milliseconds that no wait exceeds while no connection can be made at all. */
const UNHEARD_WAIT = 5_000;
const UNHEARD_ATTEMPTS = 3;

type Decision = readonly [RegistrationState, readonly Action[]];

const isWorking = (phase: Phase): boolean =>
  phase === "delayed" || phase === "authenticating" || phase === "registering" || phase === "running";

/** Full jitter below a bound that starts at twice the factor and doubles with each attempt. */
function waitAfter(attempts: number, { factor, random }: RegistrationSettings): number {
  return random() * Math.min(factor * 2 ** Math.min(attempts, 30), LONGEST_WAIT);
}

/** Back to the start with the same or another master. */
function startOver(
  state: RegistrationState,
  master: UPID | undefined,
  why: string,
  settings: RegistrationSettings,
  attempts = 0,
): Decision {
  const actions: Action[] = [{ do: "cancel" }, { do: "unlink" }];
  if (state.phase === "running") actions.push({ do: "disconnected", why });
  if (master === undefined) return [{ ...INITIAL_STATE }, actions];
  actions.push({ do: "wait", milliseconds: waitAfter(attempts, settings) });
  return [{ phase: "delayed", master, authenticated: false, attempts }, actions];
}

function register(state: RegistrationState, settings: RegistrationSettings): Decision {
  const attempts = state.attempts + 1;
  return [
    { ...state, phase: "registering", attempts },
    [{ do: "register" }, { do: "wait", milliseconds: waitAfter(attempts, settings) }],
  ];
}

/** Attempts after which silence is worth an explanation: 3, 6, 12, … */
const isWorthExplaining = (attempts: number): boolean => attempts >= 3 && Number.isInteger(Math.log2(attempts / 3));

function onDue(state: RegistrationState, settings: RegistrationSettings): Decision {
  if (state.phase !== "delayed" && state.phase !== "registering") return [state, []];
  if (settings.hasCredential && !state.authenticated)
    return [{ ...state, phase: "authenticating" }, [{ do: "authenticate" }]];
  const [next, actions] = register(state, settings);
  const explain: Action[] =
    state.phase === "registering" && isWorthExplaining(state.attempts)
      ? [{ do: "explain", attempts: state.attempts }]
      : [];
  return [next, [...explain, ...actions]];
}

function onAnswer(state: RegistrationState, event: RegistrationEvent & { kind: "answered" }): Decision {
  if (!sameUPID(event.from, state.master))
    return [state, [{ do: "ignore", from: event.from, why: "it is not the current master's" }]];
  if (state.phase === "terminating" || state.phase === "refused")
    return [state, [{ do: "ignore", from: event.from, why: `the agent is ${state.phase}` }]];
  if (event.known !== undefined && event.known !== event.id) {
    const actions: Action[] = [{ do: "cancel" }];
    if (state.phase === "running") actions.push({ do: "disconnected", why: "the master gave another agent id" });
    return [{ ...state, phase: "refused" }, [...actions, { do: "refuse", refusal: "other-id" }]];
  }
  if (state.phase === "running") return [state, [{ do: "announce", duplicate: true }]];
  return [
    { ...state, phase: "running", attempts: 0 },
    [{ do: "cancel" }, { do: "expect-pings" }, { do: "announce", duplicate: false }],
  ];
}

function onLinkBroken(
  state: RegistrationState,
  event: RegistrationEvent & { kind: "link-broken" },
  settings: RegistrationSettings,
): Decision {
  if (!sameUPID(event.master, state.master) || !isWorking(state.phase)) return [state, []];
  if (event.lived === undefined && state.phase === "registering") {
    // Nobody listens there. Asking again costs nobody anything, so a restarted master is found within seconds.
    const attempts = Math.min(state.attempts, UNHEARD_ATTEMPTS);
    const milliseconds = Math.min(waitAfter(attempts, settings), UNHEARD_WAIT);
    return [{ ...state, attempts }, [{ do: "wait", milliseconds }]];
  }
  if (event.lived === undefined && state.phase !== "running") return [state, []];
  const isNew = state.phase === "running" || (event.lived ?? 0) >= REAL_LINK;
  return startOver(state, state.master, "the link to the master broke", settings, isNew ? 0 : state.attempts);
}

/** The next state, and what to do, in order. */
export function decide(state: RegistrationState, event: RegistrationEvent, settings: RegistrationSettings): Decision {
  switch (event.kind) {
    case "detected":
      if (state.phase === "terminating") return [{ ...state, master: event.master }, []];
      return startOver(
        state,
        event.master,
        event.master === undefined ? "the leader is lost" : "a new leader",
        settings,
      );
    case "link-broken":
      return onLinkBroken(state, event, settings);
    case "due":
      return onDue(state, settings);
    case "authenticated":
      return state.phase === "authenticating" ? register({ ...state, authenticated: true }, settings) : [state, []];
    case "credential-refused":
      if (state.phase !== "authenticating") return [state, []];
      return [{ ...state, phase: "refused" }, [{ do: "cancel" }, { do: "refuse", refusal: "credential" }]];
    case "answered":
      return onAnswer(state, event);
    case "ping":
      if (state.phase !== "running") return [state, []];
      if (event.connected) return [state, [{ do: "expect-pings" }]];
      return startOver(state, state.master, "the master says that it lost the connection", settings);
    case "ping-timeout":
      return state.phase === "running"
        ? startOver(state, state.master, "no ping from the master", settings)
        : [state, []];
    case "shutdown":
      if (!sameUPID(event.from, state.master))
        return [state, [{ do: "ignore", from: event.from, why: "it is not the current master's" }]];
      if (state.phase === "terminating") return [state, []];
      return [{ ...state, phase: "terminating" }, [{ do: "cancel" }, { do: "shutdown" }]];
    case "terminate":
      return [{ ...state, phase: "terminating" }, [{ do: "cancel" }]];
  }
}
