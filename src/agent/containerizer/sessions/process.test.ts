import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

const MODULE = new URL("./process.ts", import.meta.url).href;

/** What an agent of its own prints that starts a session, `before` which it does something; `shell`: what it inherits. */
function printed(shell: string, before: string, command: string): string {
  const request = {
    ...{ cwd: "/", user: undefined, controlGroups: [], window: undefined, namespacesOf: undefined },
    ...{ file: "/bin/sh", argv: ["sh", "-c", command], environment: { PATH: "/usr/bin:/bin" } },
  };
  const program = `
    import { openSync } from "node:fs";
    import { startSession } from ${JSON.stringify(MODULE)};
    ${before}
    const host = { architecture: process.arch, path: process.env.PATH };
    try {
      const session = await startSession("t", ${JSON.stringify(request)}, host);
      for await (const piece of session.stdout) process.stdout.write(piece);
      const { status } = await session.termination;
      console.log("ended with", status);
    } catch (error) {
      console.log(error.constructor.name, error.message);
    }`;
  const words = ["-c", `${shell}; exec "$@"`, "sh", process.execPath, "--no-warnings", "--input-type=module", "-e"];
  return execFileSync("/bin/bash", [...words, program], { encoding: "utf8" });
}

it("a session gets no descriptor that the agent inherited without knowing it", () => {
  const inherited = "exec 98< /dev/null 99< /dev/null";
  const text = printed(inherited, "", 'cd /proc/self/fd && for one in *; do echo "fd $one"; done');
  expect(text).toContain("ended with 0");
  const seen = [...text.matchAll(/^fd (\d+)$/gm)].map(([, one]) => Number(one));
  expect(seen).toEqual(expect.arrayContaining([0, 1, 2]));
  expect(seen.filter((one) => one > 20)).toEqual([]);
});

it("a session for which no descriptor is left is refused, and the agent lives on", () => {
  const exhaust = `let last; try { for (;;) last = openSync("/dev/null"); } catch {}`;
  expect(printed("ulimit -n 200", exhaust, "true")).toMatch(/^TaskFailure Failed to start the session: .*EMFILE\n$/);
});
