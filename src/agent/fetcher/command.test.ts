import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandOptions, runCommand } from "./command.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/command-`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = { PATH: "/usr/bin:/bin", GIVEN: "given" };
const sh = (script: string, more: Partial<CommandOptions> = {}): Promise<void> =>
  runCommand(["sh", "-c", script], { environment, folder, ...more });
/** What a script writes. */
async function said(script: string, more: Partial<CommandOptions> = {}): Promise<string> {
  const pieces: string[] = [];
  await sh(script, { output: (piece) => pieces.push(piece), ...more });
  return pieces.join("");
}

describe("a program", () => {
  it("stands in its folder, with the variables that it is given, in a locale that is the same everywhere", async () => {
    expect(await said('echo "$PWD $GIVEN $LC_ALL"')).toBe(`${folder} given C.UTF-8\n`);
  });

  it("reads what it is given, or nothing", async () => {
    expect(await said("cat")).toBe("");
    expect(await said("cat", { input: Readable.from(["one ", "two"]) })).toBe("one two");
  });

  it("need not read all that it is given", async () => {
    const endless = Readable.from(
      (function* () {
        for (let count = 0; count < 100_000; count++) yield "x".repeat(1_000);
      })(),
    );
    expect(await said("head -c 3", { input: endless })).toBe("xxx");
    expect(endless.destroyed).toBe(true);
  });
});

describe("a program that does not end well says why", () => {
  it.each([
    ["exit 3", /^'sh' exited with status 3$/],
    ["echo why >&2; exit 1", /^'sh' exited with status 1: why$/],
    ["kill -9 $$", /^'sh' was ended by SIGKILL$/],
  ])("%s", async (script, why) => {
    await expect(sh(script)).rejects.toThrow(why);
  });

  it("with its last words only", async () => {
    const error = await sh('printf "%02000d" 0 >&2; printf end >&2; exit 1').catch((caught: Error) => caught.message);
    expect(error).toBe(`'sh' exited with status 1: ${"0".repeat(497)}end`);
  });

  it("by its name when it is not there, or is no program", async () => {
    const options = { environment, folder };
    await expect(runCommand(["no-such-program"], options)).rejects.toThrow(
      "the program 'no-such-program' is not installed on this agent",
    );
    await expect(runCommand([folder], options)).rejects.toThrow(/could not be run: .*EACCES/);
  });
});

describe("a program is ended", () => {
  it("by who waits for it, with his reason, before it starts and while it runs", async () => {
    const reason = new Error("the container ends");
    await expect(sh("sleep 100", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const over = sh("echo started; exec sleep 100", { signal: stop.signal, output: () => stop.abort(reason) });
    await expect(over).rejects.toBe(reason);
  });

  it("when its time is over", async () => {
    await expect(sh("exec sleep 100", { timeout: 1 })).rejects.toThrow("'sh' was ended by SIGKILL");
  });

  it("when what it writes is refused, or what it reads breaks", async () => {
    const refuse = (): never => {
      throw new Error("not that");
    };
    await expect(sh("echo that; exec sleep 100", { output: refuse })).rejects.toThrow("not that");
    const broken = Readable.from(
      (function* () {
        yield "one";
        throw new Error("the archive is damaged");
      })(),
    );
    await expect(sh("cat >/dev/null; exec sleep 100", { input: broken })).rejects.toThrow("the archive is damaged");
  });
});
