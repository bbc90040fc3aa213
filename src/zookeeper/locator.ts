import { UserError } from "../base/errors.ts";
import { maskZooKeeperUrl, parseZooKeeperUrl, type ZooKeeperUrl } from "./url.ts";

/** A value of --master. */
export type Locator =
  | { readonly kind: "fixed"; readonly id: string; readonly host: string; readonly port: number }
  | { readonly kind: "zookeeper"; readonly url: ZooKeeperUrl }
  | { readonly kind: "file"; readonly path: string };

const FIX =
  "write host:port, id@host:port, zk://host1:2181,host2:2181/mesos, or file:///path/of/a/file/with/one/of/them";

/** Reads a value of --master. Throws a UserError that names the accepted forms. */
export function parseLocator(text: string): Locator {
  const value = text.trim();
  if (value === "") throw new UserError("no master is given", FIX);
  if (value.startsWith("zk://")) return { kind: "zookeeper", url: parseZooKeeperUrl(value) };
  if (value.startsWith("file://")) {
    const path = value.slice("file://".length);
    if (!path.startsWith("/")) throw new UserError(`'${value}' does not name an absolute path`, "write file:///path");
    return { kind: "file", path };
  }
  const shown = maskZooKeeperUrl(value);
  if (value.includes("://")) throw new UserError(`'${shown}' is not a kind of master that exists`, FIX);
  const match = /^(?:([^@\s]+)@)?([A-Za-z0-9._-]+):(\d{1,5})$/.exec(value);
  const [, id = "master", host, digits] = match ?? [];
  const port = Number(digits);
  if (host === undefined) {
    const portless = /^[A-Za-z0-9._-]+$/.test(value) ? `add the port: ${value}:5050` : FIX;
    throw new UserError(`'${shown}' does not name a master`, portless);
  }
  if (port < 1 || port > 65_535) throw new UserError(`'${shown}': ${digits} is not a port`, FIX);
  return { kind: "fixed", id, host, port };
}
