import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { framed } from "../../test/support/fake-engine.ts";
import { outputsOf } from "./output-streams.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

it("stdout and stderr are taken apart, and end with the connection", async () => {
  const [connection, wire] = duplexPair();
  const { stdout, stderr } = outputsOf(connection, false);
  wire.write(framed("stdout", "out "));
  wire.write(framed("stderr", "err"));
  wire.end(framed("stdout", "more"));
  expect(await Promise.all([text(stdout), stderr && text(stderr)])).toEqual(["out more", "err"]);
});

it("a terminal has one output, as it is", async () => {
  const [connection, wire] = duplexPair();
  const { stdout, stderr } = outputsOf(connection, true);
  wire.end("\x01raw");
  expect([await text(stdout), stderr]).toEqual(["\x01raw", undefined]);
});

it("the connection is read no faster than the slower of both outputs", async () => {
  const [connection, wire] = duplexPair();
  const { stdout, stderr } = outputsOf(connection, false);
  stdout.resume();
  const piece = framed("stderr", "x".repeat(16_384));
  let taken = 0;
  for (let round = 0; round < 50; round++) {
    while (!wire.writableNeedDrain) {
      wire.write(piece);
      taken++;
    }
    await turn();
  }
  expect(taken).toBeLessThan(16);
  stderr?.resume();
  await turn();
  expect(wire.writableNeedDrain).toBe(false);
});

it("a connection that breaks, or says what no daemon says, ends them with an error", async () => {
  const [connection, wire] = duplexPair();
  const { stdout } = outputsOf(connection, false);
  wire.write("HTTP/1.1 500 no frames at all");
  await expect(text(stdout)).rejects.toThrow("not multiplexed");
});
