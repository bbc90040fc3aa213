import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { AttachedFiles, FilesError } from "../../src/agent/http/files/attached.ts";
import { listFolder, readPart } from "../../src/agent/http/files/listing.ts";

/** Swaps names in the sandbox as fast as it can: a file and a link out of it, a folder and a link out of it. */
const swapper = `
  const { renameSync } = require("node:fs");
  const swap = (a, b) => { renameSync(a, "spare"); renameSync(b, a); renameSync("spare", b); };
  for (;;) { swap("file", "file-link"); swap("sub", "sub-link"); }
`;

it("a sandbox whose links change all the time shows nothing of the outside", async () => {
  const folder = mkdtempSync(join(tmpdir(), "http-files-race-"));
  const sandbox = join(folder, "sandbox");
  mkdirSync(join(sandbox, "sub"), { recursive: true });
  mkdirSync(join(folder, "outside"));
  writeFileSync(join(folder, "outside", "file"), "secret");
  writeFileSync(join(folder, "outside", "secret"), "secret");
  writeFileSync(join(sandbox, "file"), "open");
  writeFileSync(join(sandbox, "sub", "file"), "open");
  symlinkSync("../outside/file", join(sandbox, "file-link"));
  symlinkSync("../outside", join(sandbox, "sub-link"));
  const files = new AttachedFiles();
  files.attach(sandbox);
  const child = spawn(process.execPath, ["-e", swapper], { cwd: sandbox, stdio: "ignore" });
  const seen = { read: 0, listed: 0, refused: 0, missing: 0 };
  try {
    for (let round = 0; round < 3000; round++) {
      const name = ["file", "sub/file", "sub"][round % 3] ?? "";
      try {
        const opened = await files.open(join(sandbox, name));
        if (opened.kind === "folder") {
          const names: string[] = [];
          await listFolder(
            "/x",
            async () => opened,
            ({ path }) => names.push(path),
          );
          expect(names).toEqual(["/x/file"]);
          seen.listed++;
        } else {
          const { data } = await readPart(opened, 0, undefined);
          expect(data.toString()).toBe("open");
          seen.read++;
        }
      } catch (error) {
        if (!(error instanceof FilesError)) throw error;
        expect([400, 404]).toContain(error.status);
        seen[error.status === 400 ? "refused" : "missing"]++;
      }
    }
  } finally {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    rmSync(folder, { recursive: true, force: true });
  }
  // Without these the test has raced nothing.
  expect(seen.read).toBeGreaterThan(0);
  expect(seen.listed).toBeGreaterThan(0);
  expect(seen.refused).toBeGreaterThan(0);
});
