/**
 * An agent's part that launches containers, in a process of its own, so that a test can kill it:
 *
 *   node containerizer-host.ts <folder> <shell command>…
 *
 * Prints one line of JSON per launch that succeeded ({id, pid}), `ready` when all are done, and waits to be killed.
 */
import { randomUUID } from "node:crypto";
import { containerSpec } from "./container-spec.ts";
import { openContainerizer } from "./containerizer.ts";

const [folder = "", ...commands] = process.argv.slice(2);
const containerizer = openContainerizer(folder);
await containerizer.recover([]);
await Promise.all(
  commands.map(async (value) => {
    const spec = containerSpec(folder, randomUUID(), { value });
    const { pid } = await containerizer.launch(
      { ...spec, environment: { ...spec.environment, SECRET: "of the host" } },
      new AbortController().signal,
    );
    console.log(JSON.stringify({ id: spec.containerId, pid }));
  }),
);
console.log("ready");
setInterval(() => undefined, 1000);
