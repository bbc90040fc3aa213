import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { MasterInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { askMasterVersion } from "./master-version.ts";

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function askOf(listener: RequestListener): Promise<string | undefined> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const pid = `master@127.0.0.1:${port}`;
  return await askMasterVersion(create(MasterInfoSchema, { id: "m", ip: 0, port, pid }));
}

describe("askMasterVersion", () => {
  it("reads the version page", async () => {
    expect(await askOf((_request, response) => response.end('{"version":"1.11.0","build_user":"x"}'))).toBe("1.11.0");
  });

  it("takes a master without that page for one before 0.26", async () => {
    expect(await askOf((_request, response) => response.writeHead(404).end())).toBe("0.25.0");
  });

  it.each([
    "",
    "nonsense",
    '{"version":7}',
    '{"version":"x"}',
    "x".repeat(100_000),
    `{"version":"1.11.0"${" ".repeat(100_000)}}`,
  ])("knows nothing from %.20s", async (text) => {
    expect(await askOf((_request, response) => response.end(text))).toBeUndefined();
  });

  it("knows nothing of a master that hangs up, or has no address", async () => {
    expect(await askOf((request) => request.socket.destroy())).toBeUndefined();
    expect(await askMasterVersion(create(MasterInfoSchema, { id: "m", ip: 0, port: 1, pid: "" }))).toBeUndefined();
  });
});
