import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { inAnyOrder } from "./addresses.ts";
import { dial } from "./dial.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Listens at 127.0.0.1 and 127.0.0.2, the same port; says where connections came in. */
async function twoAddresses(): Promise<{ port: number; taken: string[] }> {
  const taken: string[] = [];
  let port = 0;
  for (const host of ["127.0.0.1", "127.0.0.2"]) {
    const server = createServer((socket) => {
      taken.push(host);
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    port = (server.address() as { port: number }).port;
    servers.push(server);
  }
  return { port, taken };
}

describe("a name with several addresses", () => {
  const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));

  it.each([
    ["the first", [0.1, 0.9], "127.0.0.1"],
    ["another", [0.9, 0.1], "127.0.0.2"],
  ])(
    "is connected to at %s, whatever the resolver's order: one that takes connections and no more is not for ever",
    async (_, random, expected) => {
      const { port, taken } = await twoAddresses();
      let turn = 0;
      const lookup = inAnyOrder(
        () => random[turn++ % 2] as number,
        (_name, _options, callback) => callback(null, addresses),
      );
      await new Promise((resolve) => {
        const socket = dial({ host: "logs.example", port }, undefined, lookup, () => undefined);
        socket.on("close", resolve);
        socket.on("error", () => undefined);
        socket.resume();
      });
      expect(taken).toEqual([expected]);
    },
  );

  it("gives them all, or one, as it is asked, and the reason when there is none", () => {
    const found: unknown[] = [];
    const take = (...result: unknown[]): void => void found.push(result);
    const ordered = inAnyOrder(
      () => 0,
      (_name, _options, callback) => callback(null, addresses),
    );
    ordered("logs.example", { all: true }, take);
    ordered("logs.example", {}, take);
    const error = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
    inAnyOrder(
      () => 0,
      (_name, _options, callback) => callback(error, []),
    )("logs.example", {}, take);
    expect(found).toEqual([
      [null, addresses, undefined],
      [null, "127.0.0.1", 4],
      [error, [], undefined],
    ]);
  });
});
