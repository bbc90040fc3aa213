import { describe, expect, it } from "vitest";
import { comesBackAsNew } from "./after-shutdown.ts";

describe("after a shutdown", () => {
  it.each([
    ["0.24.1", "health check timed out", true],
    ["1.4.2", "", true],
    ["1.5.0-rc1", "", true],
    ["1.5.0", "", false],
    ["1.11.0", "an operator marked it gone", false],
    ["", "Slave attempted to re-register after removal", true],
    [undefined, "Agent attempted to reregister after removal", true],
    [undefined, "health check timed out", false],
  ])("by a master %s, which says '%s': as new is %s", (version, why, expected) => {
    expect(comesBackAsNew(version, why)).toBe(expected);
  });
});
