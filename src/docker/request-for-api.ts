import { compareApi } from "./api-version.ts";
import type { CreateRequest, HostConfig, MountRequest } from "./create-request.ts";

/** `request` as a daemon of API `api` understands it: what moved between versions. */
export function requestForApi(request: CreateRequest, api: string): CreateRequest {
  const mounted = compareApi(api, "1.42") < 0 ? { ...request, HostConfig: withTextBinds(request.HostConfig) } : request;
  return compareApi(api, "1.44") < 0 ? mounted : withEndpointMac(mounted);
}

function withEndpointMac(request: CreateRequest): CreateRequest {
  const { MacAddress: mac, ...rest } = request;
  if (mac === undefined) return request;
  const network = rest.HostConfig.NetworkMode ?? "default";
  const endpoints = rest.NetworkingConfig?.EndpointsConfig ?? {};
  const endpoint = { ...endpoints[network], MacAddress: mac };
  return { ...rest, NetworkingConfig: { EndpointsConfig: { ...endpoints, [network]: endpoint } } };
}

/**
 * Before 1.42 (and at Podman) a bind mount whose source is missing is refused, whatever CreateMountpoint says; a text bind is
 * not. A colon cannot be said in text: such a mount stays as it is.
 */
function withTextBinds(host: HostConfig): HostConfig {
  const { Mounts: mounts = [], Binds: binds = [], ...rest } = host;
  const texts = mounts.filter(hasTextForm);
  if (texts.length === 0) return host;
  const others = mounts.filter((mount) => !hasTextForm(mount));
  return {
    ...rest,
    Binds: [
      ...texts.map(({ Source, Target, ReadOnly }) => `${Source}:${Target}:${ReadOnly === true ? "ro" : "rw"}`),
      ...binds,
    ],
    ...(others.length > 0 && { Mounts: others }),
  };
}

function hasTextForm({ Type, Source = "", Target, BindOptions = {} }: MountRequest): boolean {
  const isPlain = Object.entries(BindOptions).every(([key, value]) => key === "CreateMountpoint" && value === true);
  return Type === "bind" && isPlain && BindOptions["CreateMountpoint"] === true && !`${Source}${Target}`.includes(":");
}
