import { expect, test } from "vitest";
import { startHelp, startWords } from "./words.ts";

const FLAGS = ["port", "work_dir", "switch_user", "hostname"];

test("no words, help and version", () => {
  expect(startWords([], FLAGS)).toBeUndefined();
  expect(startWords(["--help"], FLAGS)).toBe("help");
  expect(startWords(["-h"], FLAGS)).toBe("help");
  expect(startWords(["--version"], FLAGS)).toBe("version");
  expect(startHelp()).toMatch(/^Usage: \[VARIABLE=VALUE …\] npm start \[-- options\]\n/);
  for (const name of ["MESOS_PORT", "MESOS_MASTER_PORT", "MESOS_MASTER", "START_FOLDER"])
    expect(startHelp()).toContain(`  ${name} `);
});

test.for<[string, string[]]>([
  ["MESOS_PORT=5052 npm start", ["--port=5052"]],
  ["MESOS_PORT=… npm start", ["--prot", "5052"]],
  ["MESOS_WORK_DIR=/x npm start", ["--work-dir=/x"]],
  ["MESOS_SWITCH_USER=… npm start", ["--no-switch_user"]],
  ["MESOS_MASTER_PORT=5060 npm start", ["--master-port=5060"]],
  ["did you mean --help?", ["--hlp"]],
  ["see npm start -- --help", ["--nothing-like-any-of-them"]],
  ["see npm start -- --help", ["something-else-altogether"]],
])("%s", ([fix, words]) => {
  expect(() => startWords(words, FLAGS)).toThrow(
    expect.objectContaining({
      message: `npm start does not take '${words[0]}'`,
      fix: expect.stringContaining(fix),
    }),
  );
});
