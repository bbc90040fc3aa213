import { spawn } from "node:child_process";
import * as z from "zod";
import type { AskHelper } from "./registry-auth.ts";

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });
const DEADLINE = 30_000;
const LONGEST = 64 * 1024;

/**
 * Runs `docker-credential-<helper> get` with the server on its standard input, in `environment`. Undefined when the
 * helper has no credentials for it. Rejects with the helper's own words otherwise; at most 30 s and 64 KB.
 */
export function credentialHelper(environment: Readonly<Record<string, string | undefined>>): AskHelper {
  return (helper, server) =>
    new Promise((resolve, reject) => {
      const child = spawn(`docker-credential-${helper}`, ["get"], {
        env: environment as NodeJS.ProcessEnv,
        stdio: ["pipe", "pipe", "ignore"],
        timeout: DEADLINE,
        killSignal: "SIGKILL",
      });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        if (output.length < LONGEST) output += chunk;
      });
      child.stdin.on("error", () => undefined);
      child.on("error", (error: NodeJS.ErrnoException) => {
        reject(error.code === "ENOENT" ? new Error("the program is not installed (not found on PATH)") : error);
      });
      child.on("close", (code, signal) => {
        if (code === 0) {
          try {
            const { Username, Secret } = answerSchema.parse(JSON.parse(output));
            resolve({ username: Username, secret: Secret });
          } catch {
            reject(new Error("its answer is not what the protocol of credential helpers says"));
          }
        } else if (/credentials not found/i.test(output)) resolve(undefined);
        else reject(new Error(output.trim() || (signal === null ? `exit status ${code}` : `ended by ${signal}`)));
      });
      child.stdin.end(`${server}\n`);
    });
}
