import { expect, it } from "vitest";
import { commandEndMessage, parseWaitStatus, shellExitCode, signalText } from "./wait-status.ts";

it.each([
  [0, "Command exited with status 0", 0],
  [1 << 8, "Command exited with status 1", 1],
  [137 << 8, "Command exited with status 137", 137],
  [9, "Command terminated with signal Killed", 137],
  [15, "Command terminated with signal Terminated", 143],
  [6 | 0x80, "Command terminated with signal Aborted (core dumped)", 134],
  [34, "Command terminated with signal Real-time signal 0", 162],
])("%i: %s", (raw, message, code) => {
  expect(commandEndMessage(raw)).toBe(message);
  expect(shellExitCode(raw)).toBe(code);
});

it("knows what it does not know", () => {
  expect(commandEndMessage(undefined)).toBe("Failed to get exit status for Command");
  expect(signalText(99)).toBe("Unknown signal 99");
  expect(parseWaitStatus(11)).toEqual({ kind: "signaled", signal: 11, coreDumped: false });
});
