import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDetails, readEvent, readInfo, readStats, readSummaries } from "./answers.ts";
import { negotiateApi } from "./api-version.ts";
import { endpointText, engineEndpoint } from "./endpoint.ts";
import { parseImage, withTag } from "./image-reference.ts";
import { lines } from "./json-lines.ts";
import { demultiplex, normalizeTime, sinceOf, splitTimestamp } from "./log-frames.ts";
import { ownContainerId } from "./own-container.ts";
import { PullLedger } from "./pull-stream.ts";

describe("API versions", () => {
  it.each([
    ["1.24", undefined, "1.24"],
    ["1.41", "1.12", "1.41"],
    ["1.52", "1.44", "1.52"],
    ["1.60", "1.44", "1.52"],
  ])("daemon %s, oldest %s: %s", (newest, oldest, spoken) => {
    expect(negotiateApi(newest, oldest)).toBe(spoken);
  });
  it("says what is too old or too new", () => {
    expect(() => negotiateApi("1.23", undefined)).toThrow(/1\.24 \(Docker 1\.12\) or newer is needed/);
    expect(() => negotiateApi("1.70", "1.60")).toThrow(/wants API 1\.60 or newer/);
    expect(() => negotiateApi("one", undefined)).toThrow(/'one'/);
  });
});

describe("the daemon's address", () => {
  const none = (): string => {
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  };
  const from = (variables: Record<string, string>, readText: (path: string) => string) =>
    engineEndpoint((name) => variables[name], undefined, readText);
  it.each([
    [undefined, undefined, "unix:///var/run/docker.sock"],
    ["/var/run/docker.sock", "tcp://x:1", "tcp://x:1"],
    ["/run/d.sock", "tcp://x:1", "unix:///run/d.sock"],
    ["unix:///run/d.sock", undefined, "unix:///run/d.sock"],
    [undefined, "tcp://dock:2375", "tcp://dock:2375"],
    [undefined, "tcp://[::1]", "tcp://[::1]:2375"],
    [undefined, "http://dock:80/", "tcp://dock:80"],
    [undefined, "https://dock:443", "tcp://dock:443"],
  ])("socket %s, DOCKER_HOST %s", (socket, dockerHost, text) => {
    const variables = { DOCKER_HOST: dockerHost, MESOS_DOCKER_SOCKET: socket };
    const variable = (name: string) => (variables as Record<string, string | undefined>)[name];
    expect(endpointText(engineEndpoint(variable, undefined, none))).toBe(text);
    // As a flag it is one that a variable may say as well, or that is said alone.
    expect(
      endpointText(engineEndpoint((name) => (name === "DOCKER_HOST" ? dockerHost : undefined), socket, none)),
    ).toBe(text);
  });
  it.each([
    ["DOCKER_CERT_PATH", { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/c", HOME: "/h" }, "/c", true],
    [
      "the folder of the docker command's settings",
      { DOCKER_TLS_VERIFY: "1", DOCKER_CONFIG: "/d", HOME: "/h" },
      "/d",
      true,
    ],
    ["that at home, without verification", { DOCKER_TLS: "1", DOCKER_CERT_PATH: "", HOME: "/h" }, "/h/.docker", false],
    ["the stricter of two", { DOCKER_TLS: "1", DOCKER_TLS_VERIFY: "1", HOME: "/h" }, "/h/.docker", true],
  ])("takes the TLS port, and the certificates of %s", (_, variables, folder, verify) => {
    expect(from({ DOCKER_HOST: "tcp://dock", ...variables }, (path) => path)).toEqual({
      kind: "tcp",
      host: "dock",
      port: 2376,
      tls: { ca: `${folder}/ca.pem`, cert: `${folder}/cert.pem`, key: `${folder}/key.pem`, verify },
    });
  });
  it("has no TLS unless asked, and none of its files where there is no folder", () => {
    const address = { kind: "tcp", host: "dock" };
    const empty = { DOCKER_TLS: "", DOCKER_TLS_VERIFY: "" };
    expect(from({ DOCKER_HOST: "tcp://dock", ...empty }, none)).toEqual({ ...address, port: 2375, tls: undefined });
    const tls = { ca: undefined, cert: undefined, key: undefined, verify: true };
    expect(from({ DOCKER_HOST: "https://dock" }, String)).toEqual({ ...address, port: 2376, tls });
  });
  it("refuses nonsense", () => {
    expect(() => from({ MESOS_DOCKER_SOCKET: "docker.sock" }, none)).toThrow(/not an address of a Docker daemon/);
    expect(() => from({ DOCKER_HOST: "ssh://x" }, none)).toThrow(/ssh:\/\/x/);
    const halfKey = (path: string): string => (path.endsWith("key.pem") ? "k" : none());
    const half = { DOCKER_HOST: "tcp://dock", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/c" };
    expect(() => from(half, halfKey)).toThrow(/only one of/);
    const noFolder = (): string => {
      throw Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
    };
    const wrong = { DOCKER_HOST: "tcp://dock", DOCKER_TLS: "1", HOME: "/dev/null" };
    expect(() => from({ ...wrong, DOCKER_CERT_PATH: "/c" }, noFolder)).toThrow(
      "cannot read /c/ca.pem: not a directory",
    );
    expect(from(wrong, noFolder)).toHaveProperty("tls.ca", undefined);
  });
});

describe("image names", () => {
  it.each([
    ["busybox", "docker.io", "busybox:latest"],
    ["busybox:1.36", "docker.io", "busybox:1.36"],
    ["team/app", "docker.io", "team/app:latest"],
    ["host:5000/team/app", "host:5000", "host:5000/team/app:latest"],
    ["localhost/app:2", "localhost", "localhost/app:2"],
    ["reg.example.org/app@sha256:abc", "reg.example.org", "reg.example.org/app@sha256:abc"],
  ])("%s", (image, registry, tagged) => {
    expect(parseImage(image).registry).toBe(registry);
    expect(withTag(image)).toBe(tagged);
  });
  it("refuses an empty one", () => expect(() => withTag(" ")).toThrow(/not the name of an image/));
});

/** `bytes` in pieces of arbitrary sizes. */
function pieces(bytes: Buffer, sizes: readonly number[]): Readable {
  const parts: Buffer[] = [];
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % Math.max(1, sizes.length)] ?? bytes.length;
    parts.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return Readable.from(parts);
}

const frame = (stream: number, data: Buffer): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
};

describe("log streams", () => {
  it("are taken apart however they arrive", async () => {
    const write = fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(write),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        async (writes, sizes) => {
          const bytes = Buffer.concat(writes.map(([stream, data]) => frame(stream, Buffer.from(data))));
          const seen = [];
          for await (const batch of demultiplex(pieces(bytes, sizes))) seen.push(...batch);
          expect(seen.map(({ stream, data }) => [stream === "stdout" ? 1 : 2, data.toString("hex")])).toEqual(
            writes.map(([stream, data]) => [stream, Buffer.from(data).toString("hex")]),
          );
        },
      ),
    );
  });
  it("that are something else, or carry the daemon's error, are errors", async () => {
    const drain = async (bytes: Buffer): Promise<void> => {
      for await (const _ of demultiplex(Readable.from([bytes])));
    };
    await expect(drain(Buffer.from("plain text, no frames"))).rejects.toMatchObject({ kind: "protocol" });
    await expect(drain(frame(3, Buffer.from("disk gone")))).rejects.toThrow("disk gone");
  });
  it("have times that compare as text", () => {
    expect(splitTimestamp(Buffer.from("2026-01-02T03:04:05.6Z a b\n"))).toEqual({
      time: "2026-01-02T03:04:05.600000000Z",
      data: Buffer.from("a b\n"),
    });
    expect(normalizeTime("2026-01-02T03:04:05+02:00")).toBe("2026-01-02T01:04:05.000000000Z");
    expect(splitTimestamp(Buffer.from("no time here, really none"))).toBeUndefined();
    expect(sinceOf("1970-01-01T00:01:00.000000007Z", 10)).toBe("50.000000007");
    expect(sinceOf("1970-01-01T00:00:03.000000000Z", 10)).toBe("0.000000000");
  });
});

describe("JSON lines", () => {
  it("come out whole however they arrive, and are bounded", async () => {
    const seen = [];
    for await (const line of lines(pieces(Buffer.from('{"a":"ä"}\r\n\n{"b":2}'), [3, 1]))) seen.push(line);
    expect(seen).toEqual(['{"a":"ä"}', '{"b":2}']);
    const endless = async (): Promise<void> => {
      for await (const _ of lines(Readable.from([Buffer.alloc(2 << 20, "x")])));
    };
    await expect(endless()).rejects.toMatchObject({ kind: "protocol" });
  });
});

describe("a pull's progress", () => {
  it("adds up, and an error has the registry's words", () => {
    const ledger = new PullLedger();
    const say = (value: object): void => ledger.take(JSON.stringify(value));
    say({ status: "Pulling from library/x", id: "latest" });
    say({ status: "Downloading", id: "aaaaaaaaaaaa", progressDetail: { current: 5, total: 10 } });
    say({ status: "Already exists", id: "bbbbbbbbbbbb" });
    expect(ledger.progress).toEqual({ layers: 2, done: 1, bytes: 5, totalBytes: 10 });
    say({ status: "Extracting", id: "aaaaaaaaaaaa", progressDetail: { current: 1, total: 10 } });
    say({ status: "Pull complete", id: "aaaaaaaaaaaa" });
    expect(ledger.progress).toEqual({ layers: 2, done: 2, bytes: 10, totalBytes: 10 });
    expect(() => say({ errorDetail: { message: "toomanyrequests: slow down" }, error: "x" })).toThrow(
      "toomanyrequests",
    );
    expect(() => ledger.take("<html>")).toThrow(/not JSON/);
  });
});

describe("answers of many daemons", () => {
  const state = {
    Status: "running",
    Running: true,
    Pid: 7,
    StartedAt: "2026-01-01T00:00:00Z",
    FinishedAt: "0001-01-01T00:00:00Z",
  };
  it("an inspect of Docker 29 has no top-level address, one of Docker 1.12 little else", () => {
    const of = (mode: string, settings: object) =>
      readDetails(
        JSON.stringify({
          Id: "i",
          Name: "/n",
          State: state,
          Config: { Labels: null },
          HostConfig: { NetworkMode: mode },
          NetworkSettings: settings,
        }),
      );
    expect(of("bridge", { Networks: { bridge: { IPAddress: "172.17.0.2" } } }).addresses.ipv4).toBe("172.17.0.2");
    expect(of("default", { Networks: { bridge: { IPAddress: "172.17.0.3" } } }).addresses.ipv4).toBe("172.17.0.3");
    expect(of("mine", { Networks: { mine: { IPAddress: "", GlobalIPv6Address: "fd::1" } } }).addresses).toEqual({
      ipv4: undefined,
      ipv6: "fd::1",
    });
    expect(of("bridge", { IPAddress: "172.17.0.4", Networks: null }).addresses.ipv4).toBe("172.17.0.4");
    expect(of("host", { Networks: { host: { IPAddress: "" } } }).addresses).toEqual({
      ipv4: undefined,
      ipv6: undefined,
    });
    expect(of("bridge", {}).state).toMatchObject({ pid: 7, finishedAt: undefined, exitCode: 0 });
  });
  it("what cannot be read is named", () => {
    expect(() => readDetails('{"Id":1}')).toThrow(/container inspect cannot be read: Id/);
    expect(() => readSummaries("<html>")).toThrow(/container list is not JSON/);
  });
  it("events have no top-level fields since API 1.52", () => {
    const event = { Type: "container", Action: "die", Actor: { ID: "i", Attributes: { exitCode: "3" } } };
    expect(readEvent(JSON.stringify(event))).toEqual({
      type: "container",
      action: "die",
      id: "i",
      attributes: { exitCode: "3" },
    });
  });
  it("info and stats of both cgroup versions, and of Podman, which leaves much out", () => {
    expect(readInfo('{"CgroupVersion":"2","MemTotal":5}')).toMatchObject({ cgroupVersion: 2, memory: 5 });
    expect(readInfo("{}")).toMatchObject({ cgroupVersion: 1, liveRestore: false });
    expect(readStats('{"memory_stats":{"usage":9}}')).toMatchObject({
      cpuUser: 0,
      memoryUsage: 9,
      memory: {},
      networks: {},
    });
  });
});

describe("the agent's own container", () => {
  const id = "a".repeat(64);
  it.each([
    [`1 2 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda rw`, "", id],
    ["", `12:cpu:/docker/${id}\n`, id],
    ["", `0::/system.slice/docker-${id}.scope\n`, id],
    ["", "0::/\n", undefined],
  ])("is found by mounts or cgroup", (mountinfo, cgroup, expected) => {
    expect(ownContainerId(mountinfo, cgroup)).toBe(expected);
  });
});
