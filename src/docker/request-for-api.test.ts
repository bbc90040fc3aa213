import { describe, expect, it } from "vitest";
import type { MountRequest } from "./create-request.ts";
import { requestForApi } from "./request-for-api.ts";

const bind = (Source: string, Target: string, more: Partial<MountRequest> = {}): MountRequest => ({
  Type: "bind",
  Source,
  Target,
  BindOptions: { CreateMountpoint: true },
  ...more,
});

describe("mounts for daemons that make no missing source of a structured one", () => {
  const Mounts = [
    bind("/a", "/b"),
    bind("/c", "/d", { ReadOnly: true }),
    bind("/e:f", "/g"),
    bind("/h", "/i:j"),
    bind("/k", "/l", { BindOptions: { CreateMountpoint: true, Propagation: "rshared" } }),
    { Type: "volume", Source: "v", Target: "/w" },
  ];
  const request = { Image: "i", HostConfig: { Mounts, Binds: ["own:/own"] } };

  it("are text where text can say them", () => {
    expect(requestForApi(request, "1.41").HostConfig).toEqual({
      Binds: ["/a:/b:rw", "/c:/d:ro", "own:/own"],
      Mounts: Mounts.slice(2),
    });
    expect(requestForApi({ Image: "i", HostConfig: { Mounts: [bind("/a", "/b")] } }, "1.24").HostConfig).toEqual({
      Binds: ["/a:/b:rw"],
    });
  });

  it("stay as they are from 1.42 on", () => expect(requestForApi(request, "1.42")).toEqual(request));
});

it("a MAC address is of the endpoint from 1.44 on", () => {
  const request = { Image: "i", MacAddress: "02:42:ac:11:00:02", HostConfig: { NetworkMode: "n" } };
  expect(requestForApi(request, "1.43")).toEqual(request);
  expect(requestForApi(request, "1.44")).toEqual({
    Image: "i",
    HostConfig: { NetworkMode: "n" },
    NetworkingConfig: { EndpointsConfig: { n: { MacAddress: "02:42:ac:11:00:02" } } },
  });
});
