import { expect, test } from "vitest";
import { ensureFree, portOf } from "./ports.ts";

/** A machine on which these ports are taken. */
const taken =
  (...ports: number[]) =>
  async (port: number): Promise<boolean> =>
    !ports.includes(port);

const refusal = async (agent: number, master: number | undefined, ...ports: number[]): Promise<string> =>
  ensureFree({ agent, master }, "127.0.0.1", taken(...ports)).then(
    () => "",
    (error) => error.text,
  );

test("free ports are no trouble", async () => {
  expect(await refusal(5051, 5050)).toBe("");
  expect(await refusal(5051, undefined, 5050)).toBe("");
});

test("a node that runs already has both: the way out takes two others, or joins its master", async () => {
  const text = await refusal(5051, 5050, 5050, 5051, 5052);
  expect(text).toMatch(/^port 5051 of 127\.0\.0\.1 is taken\n {2}Fix: /);
  expect(text).toContain("or take another: MESOS_PORT=5053 MESOS_MASTER_PORT=5060 npm start");
  expect(text).toContain("MESOS_PORT=5053 MESOS_MASTER=127.0.0.1:5050 npm start");
});

test("only the agent's port is taken", async () => {
  const text = await refusal(5051, 5050, 5051);
  expect(text).toMatch(/take another: MESOS_PORT=5052 npm start$/);
});

test("only the master's port is taken", async () => {
  const text = await refusal(5051, 5050, 5050, 5060);
  expect(text).toContain("port 5050 of 127.0.0.1 is taken");
  expect(text).toContain(
    "take another: MESOS_MASTER_PORT=5061 npm start, or join the master there: MESOS_MASTER=127.0.0.1:5050 npm start",
  );
});

test("a way out never names one port twice", async () => {
  expect(await refusal(5051, 5052, 5051)).toContain("MESOS_PORT=5053 MESOS_MASTER_PORT=5052 npm start");
  expect(await refusal(5060, 5050, 5050)).toContain("MESOS_PORT=5060 MESOS_MASTER_PORT=5061 npm start");
  expect(await refusal(5050, 5050)).toContain("both 5050");
});

test.for(["x", "0", "65536", "-1", "5051 "])("%s is no port", (value) => {
  expect(() => portOf("MESOS_PORT", value, 5051)).toThrow(`MESOS_PORT=${value} is no port`);
});

test("a port, or the default", () => {
  expect(portOf("MESOS_PORT", undefined, 5051)).toBe(5051);
  expect(portOf("MESOS_PORT", "", 5051)).toBe(5051);
  expect(portOf("MESOS_PORT", "80", 5051)).toBe(80);
});
