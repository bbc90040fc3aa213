import { expect, test } from "vitest";
import { startHelp, startWords } from "./words.ts";

test("no words, help and version", () => {
  expect(startWords([])).toBeUndefined();
  expect(startWords(["--help"])).toBe("help");
  expect(startWords(["-h"])).toBe("help");
  expect(startWords(["--version"])).toBe("version");
  expect(startHelp()).toMatch(/^Usage: \[VARIABLE=VALUE …\] npm start \[-- options\]\n/);
  for (const name of ["MESOS_PORT", "MESOS_MASTER_PORT", "MESOS_MASTER", "START_FOLDER"])
    expect(startHelp()).toContain(`  ${name} `);
});

test.for<[string, string[]]>([
  ["MESOS_PORT=5052 npm start", ["--port=5052"]],
  ["MESOS_PORT=… npm start", ["--port", "5052"]],
  ["MESOS_WORK_DIR=/x npm start", ["--work-dir=/x"]],
  ["MESOS_SWITCH_USER=… npm start", ["--no-switch_user"]],
  ["MESOS_MASTER_PORT=5060 npm start", ["--master-port=5060"]],
  ["did you mean --help?", ["--hlp"]],
  ["see npm start -- --help", ["--=x"]],
  ["see npm start -- --help", ["something-else-altogether"]],
])("%s", ([fix, words]) => {
  expect(() => startWords(words)).toThrow(
    expect.objectContaining({
      message: `npm start does not take '${words[0]}'`,
      fix: expect.stringContaining(fix),
    }),
  );
});
