import type { ServerAddress } from "./settings.ts";

/** `host:port` as people write it. */
export const nameOf = ({ host, port }: ServerAddress): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
