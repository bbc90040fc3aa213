import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../base/log.ts";
import { cramMd5Response } from "./cram-md5.ts";
import { CredentialFile } from "./credential-file.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "credential-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a secret that was changed is what the next challenge is answered with, and a broken file changes nothing", () => {
  const path = join(folder, "credential");
  const challenge = Buffer.from("<1.2@master>");
  const answerOf = (principal: string, secret: string) => cramMd5Response({ principal, secret }, challenge).toString();
  writeFileSync(path, "agent old\n", { mode: 0o600 });
  const credential = new CredentialFile(path, silentLogger);
  const answer = () => cramMd5Response(credential, challenge).toString();
  expect(answer()).toBe(answerOf("agent", "old"));
  writeFileSync(path, "agent new\n");
  expect(answer()).toBe(answerOf("agent", "old"));
  credential.reload();
  expect(answer()).toBe(answerOf("agent", "new"));
  writeFileSync(path, "agent\n");
  expect(() => credential.reload()).toThrow("not two words");
  rmSync(path);
  expect(() => credential.reload()).toThrow("ENOENT");
  expect(answer()).toBe(answerOf("agent", "new"));
});
