import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { RuntimeFolder } from "./runtime-folder.ts";

it("that cannot be made names the flag, the reason and the way out: another user than root has no /var/run", () => {
  const base = mkdtempSync(join(tmpdir(), "runtime-"));
  try {
    // Root may write everywhere; nobody may below a file.
    writeFileSync(join(base, "file"), "");
    const folder = new RuntimeFolder(join(base, "file/run"), "0", { bootId: "b", pidNamespace: "p" });
    expect(() => folder.create()).toThrow(
      expect.objectContaining({
        text: expect.stringMatching(/^cannot use --runtime_dir=.*file\/run: E.*\n {2}Fix: .*--runtime_dir=/),
      }),
    );
  } finally {
    rmSync(base, { recursive: true });
  }
});
