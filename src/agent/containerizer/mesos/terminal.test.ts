import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectTerminal, sizeFrame, typedFrames } from "./terminal.ts";

/** Frames as a shim takes them apart. */
function framesIn(bytes: Buffer): [verb: string, rest: Buffer][] {
  const found: [string, Buffer][] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    found.push([bytes.toString("latin1", at + 4, at + 5), bytes.subarray(at + 5, at + 4 + size)]);
    at += 4 + size;
  }
  return found;
}

describe("frames to a terminal", () => {
  it("are what is typed, in pieces that a shim takes", () => {
    expect(framesIn(typedFrames(Buffer.from("ls\n")))).toEqual([["D", Buffer.from("ls\n")]]);
    const much = Buffer.alloc(1_000_000, "x");
    const pieces = framesIn(typedFrames(much));
    expect(Buffer.concat(pieces.map(([, piece]) => piece)).equals(much)).toBe(true);
    expect(pieces.every(([verb, piece]) => verb === "D" && piece.length < 1_000_000)).toBe(true);
    expect(typedFrames(new Uint8Array()).length).toBe(0);
  });

  it("are its size", () => {
    expect(framesIn(sizeFrame({ rows: 50, columns: 70_000 }))).toEqual([["W", Buffer.from([0, 50, 255, 255])]]);
  });
});

describe("a connection with a terminal", () => {
  let folder: string;
  let deep: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "terminal-"));
    deep = join(folder, "x".repeat(120));
    mkdirSync(deep);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("says what it is for, however long its path is", async () => {
    const server = createServer();
    const descriptor = openSync(deep, "r");
    await new Promise<void>((resolve) => server.listen(`/proc/self/fd/${descriptor}/terminal`, resolve));
    const heard = new Promise((resolve) => {
      server.on("connection", (socket) => socket.once("data", (piece) => resolve(`${piece}`)));
    });
    const socket = await connectTerminal(deep, "input");
    expect(await heard).toBe("I");
    socket.destroy();
    server.close();
    closeSync(descriptor);
  });

  it("is refused where nobody holds one", async () => {
    await expect(connectTerminal(deep, "output")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
