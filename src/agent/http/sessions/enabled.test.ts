import { expect, it } from "vitest";
import { isExecEnabled } from "./enabled.ts";

it.each([
  ["disabled", undefined, false],
  ["enabled", undefined, true],
  ["disabled", "cpu,container_exec", true],
  ["disabled", "cpu, memory", false],
  ["disabled", "container_executor", false],
] as const)("--task_exec=%s --agent_subsystems=%s is %s", (task_exec, agent_subsystems, isOn) => {
  expect(isExecEnabled({ task_exec, agent_subsystems })).toBe(isOn);
});
