import { UserError } from "../base/errors.ts";

export interface ImageReference {
  /** Registry host, `docker.io` when none is named. */
  readonly registry: string;
  /** As given, without tag and digest. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Takes an image name apart. Throws a UserError for an empty one. */
export function parseImage(image: string): ImageReference {
  const [beforeDigest = "", digest] = splitOnce(image.trim(), "@");
  const slash = beforeDigest.lastIndexOf("/");
  const colon = beforeDigest.indexOf(":", slash + 1);
  const name = colon < 0 ? beforeDigest : beforeDigest.slice(0, colon);
  if (!isPlain(image.trim())) {
    throw new UserError(`'${image}' is not the name of an image`, "write [registry/]name[:tag]");
  }
  const first = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
  const isRegistry = first === "localhost" || /[.:]/.test(first);
  return {
    registry: isRegistry ? first : "docker.io",
    name,
    tag: colon < 0 ? undefined : beforeDigest.slice(colon + 1),
    digest,
  };
}

/** With `:latest` when neither tag nor digest is given, as Mesos asks. */
export function withTag(image: string): string {
  const { tag, digest, name } = parseImage(image);
  return tag === undefined && digest === undefined ? `${name}:latest` : image.trim();
}

/** Every part names something: no `..` that would lead to other paths of a registry or of the Engine, nothing to be encoded. */
const isPlain = (image: string): boolean =>
  /^[A-Za-z0-9._:@/+[\]-]+$/.test(image) && image.split("/").every((part) => !/^(\.{0,2})([:@].*)?$/.test(part));

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
