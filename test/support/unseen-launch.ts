/**
 * Launches a Docker task with a work_dir of this process' own mount namespace, which the daemon does not see, and prints
 * as JSON how that ended: `unshare -m … node unseen-launch.ts <docker socket> <work_dir>`.
 */
import { systemClock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { HttpEngine } from "../../src/docker/http-engine.ts";
import { openContainerizer } from "./dockerd-containerizer.ts";
import { dockerSpec } from "./dockerd-tasks.ts";

const [, , path = "", workDir = ""] = process.argv;
const containerizer = await openContainerizer(
  { engine: () => new HttpEngine({ kind: "unix", path }, systemClock) },
  workDir,
);
const spec = await dockerSpec(workDir, "true");
const error = await containerizer.launch(spec, new AbortController().signal).then(() => "it was launched", messageOf);
console.log(JSON.stringify({ containerId: spec.containerId, error, trouble: containerizer.trouble() }));
await containerizer.close();
