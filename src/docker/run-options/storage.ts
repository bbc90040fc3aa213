import { UserError } from "../../base/errors.ts";
import type { MountRequest } from "../create-request.ts";
import type { RunOption } from "./table.ts";
import { bytesValue, csvValue, flagValue, pairValue } from "./values.ts";

/** Options about files and devices. */
export const storageOptions: Readonly<Record<string, RunOption>> = {
  device: ({ host }, value) => {
    // A qualified CDI name such as vendor.com/class=name is no path.
    if (/^[A-Za-z0-9.-]+\/[A-Za-z0-9_-]+=/.test(value)) {
      host.DeviceRequests = [...(host.DeviceRequests ?? []), { Driver: "cdi", DeviceIDs: [value] }];
      return;
    }
    host.Devices = [...(host.Devices ?? []), deviceMapping(value)];
  },
  mount: ({ host }, value) => {
    host.Mounts = [...(host.Mounts ?? []), mountRequest(value)];
  },
  tmpfs: ({ host }, value) => {
    const at = value.indexOf(":");
    const [path, settings] = at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at + 1)];
    host.Tmpfs = { ...host.Tmpfs, [path]: settings };
  },
  volume: ({ request, host }, value) => {
    if (value.includes(":")) host.Binds = [...(host.Binds ?? []), value];
    else request.Volumes = { ...request.Volumes, [value]: {} };
  },
};

/** `/host[:/container[:rwm]]`. */
function deviceMapping(value: string): { PathOnHost: string; PathInContainer: string; CgroupPermissions: string } {
  const parts = value.split(":");
  const permissions = /^[rwm]{1,3}$/;
  const last = parts.length > 1 && permissions.test(parts.at(-1) ?? "") ? parts.pop() : undefined;
  const [onHost = "", inContainer = onHost, more] = parts;
  if (!onHost.startsWith("/") || !inContainer.startsWith("/") || more !== undefined) {
    throw new UserError(`'${value}' is not a device`, "write /dev/host[:/dev/container[:rwm]]");
  }
  return { PathOnHost: onHost, PathInContainer: inContainer, CgroupPermissions: last ?? "rwm" };
}

type MountField = (mount: MountRequest, value: string) => void;

const inOptions =
  (
    key: "BindOptions" | "VolumeOptions" | "TmpfsOptions" | "ImageOptions",
    name: string,
    parse: (text: string) => unknown,
  ): MountField =>
  (mount, value) => {
    mount[key] = { ...mount[key], [name]: parse(value) };
  };

const text = (value: string): string => value;
const source: MountField = (mount, value) => {
  mount.Source = value;
};
const target: MountField = (mount, value) => {
  mount.Target = value;
};
const readOnly: MountField = (mount, value) => {
  mount.ReadOnly = flagValue(value);
};

const mountFields: Readonly<Record<string, MountField>> = {
  type: (mount, value) => {
    mount.Type = value.toLowerCase();
  },
  source,
  src: source,
  target,
  dst: target,
  destination: target,
  readonly: readOnly,
  ro: readOnly,
  consistency: (mount, value) => {
    mount.Consistency = value;
  },
  "bind-propagation": inOptions("BindOptions", "Propagation", text),
  "bind-nonrecursive": inOptions("BindOptions", "NonRecursive", flagValue),
  "bind-create-src": inOptions("BindOptions", "CreateMountpoint", flagValue),
  "bind-recursive": (mount, value) => {
    const settings: Readonly<Record<string, Record<string, boolean>>> = {
      enabled: {},
      disabled: { NonRecursive: true },
      writable: { ReadOnlyNonRecursive: true },
      readonly: { ReadOnlyForceRecursive: true },
    };
    const found = settings[value];
    if (found === undefined)
      throw new UserError(`bind-recursive '${value}' is not ${Object.keys(settings).join(", ")}`);
    mount.BindOptions = { ...mount.BindOptions, ...found };
  },
  "volume-subpath": inOptions("VolumeOptions", "Subpath", text),
  "volume-nocopy": inOptions("VolumeOptions", "NoCopy", flagValue),
  "volume-label": (mount, value) => {
    const [name, setting] = pairValue(value);
    mount.VolumeOptions = {
      ...mount.VolumeOptions,
      Labels: { ...(mount.VolumeOptions?.["Labels"] as object), [name]: setting },
    };
  },
  "volume-driver": (mount, value) => driver(mount, (config) => ({ ...config, Name: value })),
  "volume-opt": (mount, value) => {
    const [name, setting] = pairValue(value);
    driver(mount, (config) => ({ ...config, Options: { ...(config["Options"] as object), [name]: setting } }));
  },
  "image-subpath": inOptions("ImageOptions", "Subpath", text),
  "tmpfs-size": inOptions("TmpfsOptions", "SizeBytes", bytesValue),
  "tmpfs-mode": inOptions("TmpfsOptions", "Mode", (value) => Number.parseInt(value, 8)),
};

function driver(mount: MountRequest, change: (config: Record<string, unknown>) => Record<string, unknown>): void {
  const before = (mount.VolumeOptions?.["DriverConfig"] ?? {}) as Record<string, unknown>;
  mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig: change(before) };
}

function mountRequest(value: string): MountRequest {
  const mount: MountRequest = { Type: "volume", Target: "" };
  for (const field of csvValue(value)) {
    const [key, setting] = pairValue(field);
    const set = mountFields[key.toLowerCase()];
    if (set === undefined) throw new UserError(`'${key}' is not a key of mount`);
    set(mount, setting);
  }
  if (mount.Target === "") throw new UserError(`'${value}' has no target`);
  return mount;
}
