import type { Logger } from "../base/log.ts";
import type { Settings } from "./model/settings.ts";
import { StatusServer } from "./monitoring/server.ts";
import { takeLock } from "./registrar/lock.ts";
import { readRegistry } from "./registrar/registrar.ts";

/**
 * What a pipeline holds of the machine. A reload takes it before the running pipeline stops, or inherits what both want:
 * settings that cannot start cost nothing.
 */
export interface Claims {
  /** The lock of the registry; undefined when positions are neither read nor written. */
  readonly lock: Lock | undefined;
  readonly server: StatusServer | undefined;
}

interface Lock {
  readonly registry: string;
  release(): void;
}

export interface ClaimOptions {
  readonly settings: Settings;
  /** Positions are read and written. */
  readonly durable: boolean;
  readonly log: Logger;
}

/**
 * Takes what `settings` need; what `held` has of it is shared. Rejects with a UserError, and then holds nothing but what
 * was held before.
 */
export async function claim({ settings, durable, log }: ClaimOptions, held?: Claims): Promise<Claims> {
  const lock = durable ? lockOf(settings.registry.path, held?.lock) : undefined;
  try {
    return { lock, server: await serverAt(settings.monitoring.address, log, held?.server) };
  } catch (error) {
    if (lock !== held?.lock) lock?.release();
    throw error;
  }
}

/** Gives back what `heir` has not inherited. */
export function release({ lock, server }: Claims, heir?: Claims): void {
  if (lock !== heir?.lock) lock?.release();
  if (server !== heir?.server) server?.close();
}

function lockOf(registry: string, held: Lock | undefined): Lock {
  if (held?.registry === registry) return held;
  const unlock = takeLock(`${registry}.lock`);
  try {
    readRegistry(registry);
  } catch (error) {
    unlock();
    throw error;
  }
  return { registry, release: unlock };
}

async function serverAt(
  address: string | undefined,
  log: Logger,
  held: StatusServer | undefined,
): Promise<StatusServer | undefined> {
  if (address === undefined) return undefined;
  if (held?.address === address) return held;
  const server = new StatusServer(address, log);
  if (held?.port !== server.port) {
    await server.listen();
    return server;
  }
  // The same port at other interfaces cannot be had while it is held.
  held.close();
  try {
    await server.listen();
    return server;
  } catch (error) {
    await held.listen();
    throw error;
  }
}
