import { describe, expect, it } from "vitest";
import { ioSettings, parseDeviceLimits } from "./block-io.ts";
import { diskNumber } from "./disk-number.ts";
import { ioFiguresV1, ioFiguresV2 } from "./io-statistics.ts";
import { offered } from "./offered.ts";

const disks = (path: string): string | undefined => ({ "/dev/sda": "8:0" })[path];
const shown = (settings: ReturnType<typeof ioSettings>) => settings.map(({ file, value }) => `${file}=${value}`);
const files = (given: Record<string, string>) => (name: string) => given[name];

describe("limits of disks", () => {
  const limits = parseDeviceLimits("/dev/sda rbps=10MB wiops=120; 8:16 wbps=4096 riops=max ;", disks);

  it("are written as v2 and v1 take them", () => {
    expect(shown(ioSettings({ limits }, 2, undefined))).toEqual([
      "io.max=8:0 rbps=10485760 wiops=120",
      "io.max=8:16 wbps=4096 riops=max",
    ]);
    expect(shown(ioSettings({ limits }, 1, undefined))).toEqual([
      "blkio.throttle.read_bps_device=8:0 10485760",
      "blkio.throttle.write_iops_device=8:0 120",
      "blkio.throttle.write_bps_device=8:16 4096",
      "blkio.throttle.read_iops_device=8:16 0",
    ]);
  });

  it.each([
    ["/dev/sdb rbps=1", "'/dev/sdb' is not a disk"],
    ["sda rbps=1", "'sda' is not a disk"],
    ["8:0", "'8:0' has no limit"],
    ["8:0 bps=1", "'bps=1' limits none of rbps, wbps, riops, wiops"],
    ["8:0 toString=1", "'toString=1' limits none"],
    ["8:0 rbps=0", "has no number above 0"],
    ["8:0 riops=1MB", "has no number above 0"],
    ["8:0 rbps=1XB", "'1XB' is not a size"],
    ["8:0 rbps", "has no number above 0"],
  ])("%s: refused, with what is wrong", (text, message) => {
    expect(() => parseDeviceLimits(text, disks)).toThrow(message);
  });

  it("name disks: what is none has no number", () => {
    expect([diskNumber("/dev/null"), diskNumber("/nowhere"), diskNumber("/tmp")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

it.each([
  [2, "io.weight", 1, "1"],
  [2, "io.bfq.weight", 100, "100"],
  [2, "io.bfq.weight", 10_000, "1000"],
  [1, "blkio.bfq.weight", 50, "50"],
  [1, "blkio.weight", 1, "10"],
  [1, "blkio.weight", 100, "500"],
  [1, "blkio.weight", 10_000, "1000"],
] as const)("on v%i, %s of %i is %s", (version, file, weight, value) => {
  expect(shown(ioSettings({ weight, limits: [] }, version, file))).toEqual([`${file}=${value}`]);
});

describe("what the kernel has no file for", () => {
  const asked = { cfs: true, swap: true, io: { weight: 50, limits: parseDeviceLimits("8:0 rbps=1", disks) } };

  it("is left out, and said", () => {
    const nothing = offered(asked, { memory: 2, io: 2 }, () => false);
    expect(nothing.settings).toEqual({ cfs: true, swap: false, io: { weight: 50, limits: [] } });
    expect(nothing.weightFile).toBeUndefined();
    expect(nothing.lacking.map((line) => line.split(":")[0])).toEqual([
      "swap (--cgroups_limit_swap)",
      "--cgroups_io_weight",
      "--cgroups_io_max",
    ]);
  });

  it("is what was asked for only", () => {
    expect(offered({ cfs: true, swap: false, io: { limits: [] } }, { memory: 2, io: 2 }, () => false).lacking).toEqual(
      [],
    );
    expect(offered(asked, { memory: undefined, io: undefined }, () => false).lacking).toEqual([]);
    const all = offered(asked, { memory: 1, io: 1 }, () => true);
    expect(all).toEqual({ settings: asked, weightFile: "blkio.weight", lacking: [] });
    expect(offered(asked, { memory: 1, io: 1 }, (_of, file) => file !== "blkio.weight").weightFile).toBe(
      "blkio.bfq.weight",
    );
  });
});

describe("figures", () => {
  const number = (major: bigint, minor: bigint) => ({ majorNumber: major, minorNumber: minor });

  it("of v2 are v1's of what reached the disks, with the sum", () => {
    const text =
      "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=10 wbytes=0 rios=1 wios=0 dbytes=5 dios=7\n7:0 \n";
    const { blkioStatistics: statistics } = ioFiguresV2(files({ "io.stat": text }));
    expect(statistics?.cfq).toEqual([]);
    const plain = statistics?.throttling.map(({ device, ioServiced, ioServiceBytes }) => [
      device && [device.majorNumber, device.minorNumber],
      ioServiced.map(({ op, value }) => [op, value]),
      ioServiceBytes.map(({ op, value }) => [op, value]),
    ]);
    expect(plain).toEqual([
      [
        [8n, 0n],
        [
          [2, 1n],
          [3, 2n],
          [6, 0n],
          [1, 3n],
        ],
        [
          [2, 4096n],
          [3, 8192n],
          [6, 0n],
          [1, 12288n],
        ],
      ],
      [
        [253n, 1n],
        [
          [2, 1n],
          [3, 0n],
          [6, 7n],
          [1, 8n],
        ],
        [
          [2, 10n],
          [3, 0n],
          [6, 5n],
          [1, 15n],
        ],
      ],
      [undefined, [[1, 11n]], [[1, 12303n]]],
    ]);
    expect(ioFiguresV2(files({}))).toEqual({});
  });

  it("of v1, of the throttle and of the scheduler that there is", () => {
    const { blkioStatistics: statistics } = ioFiguresV1(
      files({
        "blkio.throttle.io_serviced": "8:0 Read 1\n8:0 Sync 1\n8:0 Total 1\nTotal 1\n",
        "blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n",
        "blkio.bfq.io_service_bytes_recursive": "8:16 Write 512\nTotal 512\n",
        "blkio.time": "8:0 17\n",
        "blkio.sectors": "8:0 8\n",
      }),
    );
    expect(statistics?.throttling).toMatchObject([
      {
        device: number(8n, 0n),
        ioServiced: [
          { op: 2, value: 1n },
          { op: 4, value: 1n },
          { op: 1, value: 1n },
        ],
      },
      { ioServiced: [{ op: 1, value: 1n }], ioServiceBytes: [{ op: 1, value: 4096n }] },
    ]);
    expect(statistics?.cfq).toMatchObject([{ device: number(8n, 0n), time: 17n, sectors: 8n }, { ioServiced: [] }]);
    expect(statistics?.cfqRecursive).toMatchObject([
      { device: number(8n, 16n), ioServiceBytes: [{ op: 3, value: 512n }] },
      { ioServiceBytes: [{ op: 1, value: 512n }] },
    ]);
    expect(ioFiguresV1(files({}))).toEqual({});
  });
});
