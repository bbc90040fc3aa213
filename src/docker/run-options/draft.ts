import type { CreateRequest, EndpointSettings, HostConfig } from "../create-request.ts";

/** What run options fill in: the create request, and what the client itself would have acted on. */
export interface RunDraft {
  readonly request: CreateRequest;
  readonly host: HostConfig;
  name: string;
  platform: string | undefined;
  /** `--pull`: always, missing or never. */
  pull: "always" | "missing" | "never" | undefined;
  /** `--rm`: remove the container as soon as its end is known. */
  removeAtEnd: boolean;
}

/** A draft around `request`. */
export function newDraft(name: string, request: CreateRequest): RunDraft {
  return { request, host: request.HostConfig, name, platform: undefined, pull: undefined, removeAtEnd: false };
}

/** The settings of the container's own network, made on first use. */
export function endpoint(draft: RunDraft): EndpointSettings {
  draft.request.NetworkingConfig ??= { EndpointsConfig: {} };
  const endpoints = draft.request.NetworkingConfig.EndpointsConfig;
  const network = draft.host.NetworkMode ?? "default";
  endpoints[network] ??= {};
  return endpoints[network];
}
