import { createServer } from "node:net";

/**
 * Below the range from which the system takes ports for outgoing connections (32768 and up): a port from there that is free
 * now may be somebody's a moment later, before a slow server binds it. Above what services and tasks use here.
 */
const FIRST = 20_000;
const COUNT = 10_000;
const given = new Set<number>();

/** A TCP port of 127.0.0.1 that nobody listens on and that is given out once. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

/** Whether nobody listens on this port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
