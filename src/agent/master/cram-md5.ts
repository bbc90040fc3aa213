import { createHmac } from "node:crypto";
import type { Credential } from "../../mesos/credential.ts";

/**
 * The answer to a CRAM-MD5 challenge (RFC 2195): principal, one space, lower-case hexadecimal HMAC-MD5 of the challenge
 * with the secret as key. Raw bytes, no base64 at this layer.
 */
export function cramMd5Response(credential: Credential, challenge: Uint8Array): Uint8Array {
  const digest = createHmac("md5", credential.secret).update(challenge).digest("hex");
  return Buffer.from(`${credential.principal} ${digest}`);
}

/**
 * How far an authentication is. Every message but the first comes from the session process at the master.
 *
 *   requested ──mechanisms──▶ started ──step──▶ answered ──completed──▶ done
 *       └──────────────┴─────────────────┴──failed, error, anything unexpected──▶ done
 */
export type Stage = "requested" | "started" | "answered" | "done";

export type SessionMessage =
  | { readonly kind: "mechanisms"; readonly mechanisms: readonly string[] }
  | { readonly kind: "step"; readonly challenge: Uint8Array }
  | { readonly kind: "completed" }
  | { readonly kind: "failed" }
  | { readonly kind: "error"; readonly error: string };

/** `failed`: the credential is not accepted, trying again is of no use. `error`: it may work the next time. */
export type Outcome =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "error"; readonly why: string };

export type Answer =
  | { readonly send: "start"; readonly next: "started" }
  | { readonly send: "response"; readonly next: "answered" }
  | { readonly outcome: Outcome; readonly next: "done" };

const error = (why: string): Answer => ({ outcome: { kind: "error", why }, next: "done" });

/** What to do about a message from the session. */
export function answerTo(stage: Stage, message: SessionMessage): Answer {
  switch (message.kind) {
    case "error":
      return error(`the master reports: ${message.error === "" ? "no reason given" : message.error}`);
    case "failed":
      return { outcome: { kind: "failed", why: "the master does not accept principal and secret" }, next: "done" };
    case "mechanisms":
      if (stage !== "requested") return error("the master offered its mechanisms twice");
      if (!message.mechanisms.includes("CRAM-MD5"))
        return error(`the master offers ${message.mechanisms.join(", ") || "no mechanism"}, not CRAM-MD5`);
      return { send: "start", next: "started" };
    case "step":
      if (stage !== "started") return error("an unexpected challenge from the master");
      return { send: "response", next: "answered" };
    case "completed":
      if (stage !== "answered") return error("the master completed an authentication that had not taken place");
      return { outcome: { kind: "completed" }, next: "done" };
  }
}

export interface AuthenticationTiming {
  /** Milliseconds: --authentication_timeout_min, at least what an attempt is given. */
  readonly minimum: number;
  /** Milliseconds: --authentication_timeout_max. */
  readonly maximum: number;
  /** Milliseconds: --authentication_backoff_factor. */
  readonly factor: number;
}

export const DEFAULT_AUTHENTICATION_TIMING: AuthenticationTiming = { minimum: 5_000, maximum: 60_000, factor: 1_000 };

/** Milliseconds that attempt `n` (from 0) is given: uniform in [minimum, min(minimum + factor·2ⁿ, maximum)], as 1.11.0. */
export function attemptTimeout(n: number, timing: AuthenticationTiming, random: number): number {
  const upper = Math.min(timing.minimum + timing.factor * 2 ** Math.min(n, 30), timing.maximum);
  return timing.minimum + random * Math.max(0, upper - timing.minimum);
}

/** Milliseconds before the next attempt after an error report: full jitter, doubling, so as not to circle. */
export function retryWait(n: number, timing: AuthenticationTiming, random: number): number {
  return random * Math.min(timing.factor * 2 ** Math.min(n, 30), timing.maximum);
}
