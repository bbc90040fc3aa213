import { readdir, readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import * as z from "zod";
import { messageOf } from "../base/errors.ts";
import type { ForwarderFacts } from "./http/view.ts";

/** Milliseconds for the forwarder's answer: it is on the same machine. */
const DEADLINE = 2_000;
/** Files named one by one; of more there are the sums. */
const MOST_FILES = 50;

const configurationSchema = z.object({ monitoring: z.object({ address: z.string() }) });

const statusSchema = z.object({
  shipped: z.object({ events: z.number() }),
  lag: z.object({ bytes: z.number(), seconds: z.number() }),
  servers: z.array(z.object({ server: z.string(), state: z.string() })),
  files: z.array(z.object({ source: z.string(), lagBytes: z.number(), lagSeconds: z.number() })),
});

/**
 * How far the forwarder beside the agent is, from its `/status`: served where the configuration that init wrote below
 * `folder` has `monitoring.address`. undefined: no forwarder, or one that serves nothing.
 */
export async function forwarderStatus(folder: string): Promise<ForwarderFacts | undefined> {
  const address = await addressIn(folder);
  if (address === undefined) return undefined;
  try {
    const response = await fetch(`http://${address}/status`, { signal: AbortSignal.timeout(DEADLINE) });
    if (!response.ok) return { problem: `its ${address} answers with status ${response.status}` };
    const { shipped, lag, servers, files } = statusSchema.parse(await response.json());
    const furthest = files.toSorted((left, right) => right.lagBytes - left.lagBytes).slice(0, MOST_FILES);
    return { events: shipped.events, lag, servers, files: furthest };
  } catch (error) {
    return { problem: `its ${address} does not answer: ${messageOf(error)}` };
  }
}

async function addressIn(folder: string): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => [".conf", ".json"].includes(extname(each)))) {
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    try {
      const parsed = configurationSchema.safeParse(JSON.parse(text));
      if (parsed.success) return parsed.data.monitoring.address;
    } catch {
      // Not the forwarder's, or not yet written to its end.
    }
  }
  return undefined;
}
