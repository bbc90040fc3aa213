import type { ContainerInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { FetchProgress, ImagePull } from "./container.ts";
import type { ExecutorRecord } from "./records.ts";

const STAGE_WORDS: Readonly<Record<string, string>> = {
  sandbox: "making its sandbox",
  containerizer: "choosing its containerizer",
  volumes: "preparing its volumes",
  fetch: "fetching its files",
  container: "starting its container",
  "forked-pid": "starting its container",
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function bytesWords(bytes: number, total: number | undefined): string {
  if (total === undefined || total <= 0) return bytes > 0 ? `, ${megabytes(bytes)} MB` : "";
  const share = Math.floor((100 * Math.min(bytes, total)) / total);
  return `, ${megabytes(Math.min(bytes, total))} of ${megabytes(total)} MB (${share} %)`;
}

function fetchWords({ uri, number, count, bytes, totalBytes }: FetchProgress): string {
  return `fetching ${uri}${count > 1 ? ` (${number} of ${count})` : ""}${bytesWords(bytes, totalBytes)}`;
}

function pullWords({ reference, progress }: ImagePull): string {
  const { layers = 0, done = 0, bytes = 0, totalBytes = 0 } = progress ?? {};
  return `pulling ${reference}${layers > 0 ? `: ${done} of ${layers} layers${bytesWords(bytes, totalBytes)}` : ""}`;
}

const isOf = (reference: string, image: string): boolean => reference === image || reference === `${image}:latest`;

/** What a launch is at, for people: the stage, the file or the image that comes, and how many bytes of it have come. */
export function launchWords(
  launching: NonNullable<ExecutorRecord["launching"]>,
  image: string | undefined,
  pulls: readonly ImagePull[],
): string {
  const { stage, fetching } = launching;
  if (stage === "fetch" && fetching !== undefined) return fetchWords(fetching);
  const pull = stage === "container" && image !== undefined && pulls.find((one) => isOf(one.reference, image));
  return pull ? pullWords(pull) : (STAGE_WORDS[stage] ?? stage);
}

export const imageOf = (container: ContainerInfo | undefined): string | undefined =>
  container?.docker?.image || container?.mesos?.image?.docker?.name || undefined;
