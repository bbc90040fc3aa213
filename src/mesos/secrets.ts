import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { UserError } from "../base/errors.ts";
import { copyOf } from "./copy.ts";
import {
  type Environment,
  Environment_Variable_Type,
  type Secret,
  Secret_Type,
  SecretSchema,
} from "./gen/mesos/v1/mesos_pb.ts";

/**
 * The bytes of a secret of type VALUE, as Mesos' default resolver has them. Throws a UserError for a reference, which nobody
 * here can look up, and for a secret that is not whole; no text of it holds the value.
 */
function secretValue(secret: Secret | undefined, what: string): Uint8Array {
  if (secret?.type === Secret_Type.REFERENCE || secret?.reference !== undefined) {
    throw new UserError(
      `${what} is a reference to the secret '${secret.reference?.name ?? ""}', and this agent has no secret resolver`,
      "pass the secret by value (type VALUE)",
    );
  }
  if (secret?.value === undefined) throw new UserError(`${what} is of type SECRET and has no secret`);
  return secret.value.data;
}

/** Variables by name, secrets resolved. Throws a UserError that names the variable. */
export function variablesOf(environment: Environment | undefined): Record<string, string> {
  const pairs = (environment?.variables ?? []).map(({ name, type, value, secret }): [string, string] => {
    if (type !== Environment_Variable_Type.SECRET) return [name, value];
    const what = `Environment variable '${name}'`;
    const text = asText(secretValue(secret, what));
    if (text === undefined) throw new UserError(`${what} is a secret that is not UTF-8 text`);
    if (text.includes("\0")) throw new UserError(`${what} is a secret with null bytes, which no environment can hold`);
    return [name, text];
  });
  return Object.fromEntries(pairs);
}

/** Names of the variables that are secrets. */
export const secretNames = (environment: Environment | undefined): ReadonlySet<string> =>
  new Set(
    (environment?.variables ?? [])
      .filter(({ type }) => type === Environment_Variable_Type.SECRET)
      .map(({ name }) => name),
  );

function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const reaching = new WeakMap<DescMessage, boolean>();

/** Whether a message of this type can hold a secret anywhere in it. */
function canHold(descriptor: DescMessage): boolean {
  const known = reaching.get(descriptor);
  if (known !== undefined) return known;
  // While it is looked at, a type that holds itself adds nothing.
  reaching.set(descriptor, false);
  const holds =
    descriptor.typeName === SecretSchema.typeName ||
    descriptor.fields.some(({ message }) => message !== undefined && canHold(message));
  reaching.set(descriptor, holds);
  return holds;
}

/**
 * A copy that shows which secrets there are, and none of their values: for pages and the operator API. What holds none is
 * given back as it is.
 */
export function withoutSecrets<D extends DescMessage>(descriptor: D, message: MessageShape<D>): MessageShape<D> {
  if (!holds(descriptor, message)) return message;
  const copy = copyOf(message);
  hide(descriptor, copy);
  return copy;
}

/** The messages in a message that can hold secrets. */
function* inside(descriptor: DescMessage, message: Message): Generator<[DescMessage, Message]> {
  for (const { message: child, localName } of descriptor.fields) {
    if (child === undefined || !canHold(child)) continue;
    const value = (message as unknown as Record<string, unknown>)[localName];
    if (value === undefined) continue;
    if (isMessage(value)) yield [child, value];
    else for (const one of Object.values(value as object) as Message[]) yield [child, one];
  }
}

function holds(descriptor: DescMessage, message: Message): boolean {
  if (!canHold(descriptor)) return false;
  if (descriptor.typeName === SecretSchema.typeName) return (message as Secret).value !== undefined;
  for (const [child, one] of inside(descriptor, message)) if (holds(child, one)) return true;
  return false;
}

function hide(descriptor: DescMessage, message: Message): void {
  if (descriptor.typeName === SecretSchema.typeName) (message as Secret).value = undefined;
  else for (const [child, one] of inside(descriptor, message)) hide(child, one);
}

const isMessage = (value: unknown): value is Message => Object.hasOwn(value as object, "$typeName");
