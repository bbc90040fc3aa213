import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeRecord } from "../../src/mesos/recordio.ts";
import { freePort } from "../support/free-port.ts";
import { idJson, OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";

/*
 * Every status that a call about containers and sessions can be answered with (mesos-wire §7.1 and §7.3), of a real agent that
 * takes no sessions: those that it takes, and the 409 of a second input, are in sessions.test.ts.
 *
 * A C++ agent 1.11.0 was asked the same. It answers alike but for four: it starts what has no command or no such program (200),
 * knows no --task_exec (404 where this one says 403), and takes a record without a length for a fault of its own (500); and it
 * aborts when a container that stands alone is removed while it runs.
 */
let agent: AgentProcess;
let client: OperatorClient;
const [json, protobuf, recordio] = ["application/json", "application/x-protobuf", "application/recordio"];

beforeAll(async () => {
  agent = new AgentProcess({ master: "127.0.0.1:1", port: await freePort(), flags: ["--no-switch_user"] });
  client = new OperatorClient(agent.port);
  agent.start();
  await serving(agent);
  expect((await client.launch(["root"], "exec sleep 1000")).status).toBe(200);
  expect((await client.launch(["root", "live"], "exec sleep 1000")).status).toBe(200);
  expect((await client.launch(["root", "over"], "exit 3")).status).toBe(200);
  expect(await client.waited(["root", "over"])).toEqual({ exit_status: 3 << 8 });
}, 60_000);
afterAll(async () => {
  await client.end(["root"]);
  await agent.destroy();
});

const SLEEP = { command: { value: "exec sleep 1000" } };
const TRUE = { command: { value: "true" } };
const DOCKER = { container: { type: "DOCKER", docker: { image: "i" } } };
const limit = (value: unknown) => ({ memory_limit: { value } });

describe("a call about a container", () => {
  it.each<[number, string, readonly string[], object?]>([
    [200, "LAUNCH_NESTED_CONTAINER", ["root", "new"], SLEEP],
    [200, "LAUNCH_CONTAINER", ["root", "live", "deep"], SLEEP],
    [202, "LAUNCH_NESTED_CONTAINER", ["root", "live"], SLEEP],
    [202, "LAUNCH_CONTAINER", ["root"], SLEEP],
    [400, "LAUNCH_NESTED_CONTAINER", ["root"], TRUE],
    [400, "LAUNCH_NESTED_CONTAINER", ["unknown", "a"], TRUE],
    [400, "LAUNCH_NESTED_CONTAINER", ["root", "unknown", "a"], TRUE],
    [400, "LAUNCH_NESTED_CONTAINER", ["root", "over", "a"], TRUE],
    [400, "LAUNCH_NESTED_CONTAINER", ["root", "a"], {}],
    [400, "LAUNCH_NESTED_CONTAINER", ["root", "a"], { ...TRUE, ...DOCKER }],
    [400, "LAUNCH_NESTED_CONTAINER", ["root", "a"], { command: { value: "/no/such/program", shell: false } }],
    [400, "LAUNCH_CONTAINER", ["a.b"], TRUE],
    [400, "LAUNCH_CONTAINER", ["a"], { ...TRUE, ...DOCKER }],
    [400, "LAUNCH_CONTAINER", ["a"], { ...TRUE, resources: [{ name: "cpus", type: "SCALAR", scalar: { value: -1 } }] }],
    [200, "WAIT_NESTED_CONTAINER", ["root", "over"]],
    [200, "WAIT_CONTAINER", ["root", "over"]],
    [400, "WAIT_NESTED_CONTAINER", ["root"]],
    [400, "WAIT_CONTAINER", ["a b"]],
    [404, "WAIT_NESTED_CONTAINER", ["root", "unknown"]],
    [404, "WAIT_CONTAINER", ["unknown"]],
    [200, "KILL_NESTED_CONTAINER", ["root", "live", "deep"], { signal: 0 }],
    [400, "KILL_NESTED_CONTAINER", ["root"]],
    [404, "KILL_NESTED_CONTAINER", ["root", "over"]],
    [404, "KILL_CONTAINER", ["unknown"]],
    [404, "KILL_CONTAINER", ["unknown"], { signal: 9999 }],
    // What is no signal ends nothing: it is there for all that follows.
    [500, "KILL_NESTED_CONTAINER", ["root", "live"], { signal: 9999 }],
    [500, "KILL_CONTAINER", ["root", "live"], { signal: -9 }],
    [400, "REMOVE_NESTED_CONTAINER", ["root"]],
    [500, "REMOVE_NESTED_CONTAINER", ["root", "live"]],
    [500, "REMOVE_CONTAINER", ["root"]],
    [500, "REMOVE_CONTAINER", ["unknown", "a"]],
    [200, "REMOVE_NESTED_CONTAINER", ["root", "unknown"]],
    [200, "REMOVE_CONTAINER", ["root", "over"]],
    [404, "WAIT_CONTAINER", ["root", "over"]],
    [400, "LAUNCH_NESTED_CONTAINER_SESSION", ["root"], TRUE],
    [403, "LAUNCH_NESTED_CONTAINER_SESSION", ["root", "session"], TRUE],
    [400, "ATTACH_CONTAINER_OUTPUT", ["a/b"]],
    [403, "ATTACH_CONTAINER_OUTPUT", ["root", "live"]],
    [415, "ATTACH_CONTAINER_INPUT", ["root", "live"]],
    [400, "UPDATE_CONTAINER_MEMORY_LIMIT", ["root", "live"], limit(64)],
    [400, "UPDATE_CONTAINER_MEMORY_LIMIT", ["root"], limit(0)],
    [404, "UPDATE_CONTAINER_MEMORY_LIMIT", ["unknown"], limit(64)],
    [501, "UPDATE_CONTAINER_MEMORY_LIMIT", ["root"], limit(64)],
    [200, "READ_LOG", ["root", "live"], { source: "CONTAINER" }],
    [400, "READ_LOG", ["root"], { source: "AGENT" }],
    [404, "READ_LOG", ["root", "unknown"], { source: "CONTAINER" }],
  ])("is answered %i: %s of %j", async (status, type, chain, more) => {
    const answer = await client.on(type, chain, more);
    expect([answer.status, answer.body]).toEqual([status, expect.any(String)]);
    // Who is refused is told why; of what is done nothing is told but how it ended.
    if (status >= 400) expect(answer.body).not.toBe("");
    else if (!/^(WAIT|READ)_/.test(type)) expect(answer.body).toBe("");
  });
});

describe("a request", () => {
  const wait = JSON.stringify({ type: "WAIT_CONTAINER", wait_container: { container_id: idJson("unknown") } });
  const input = JSON.stringify({
    type: "ATTACH_CONTAINER_INPUT",
    attach_container_input: { type: "CONTAINER_ID", container_id: idJson("root", "live") },
  });
  const framed = (text: string) => encodeRecord(text);
  const messages = (type: string) => ({ "content-type": recordio, "message-content-type": type });

  it.each<[number, string, Record<string, string>, string | Uint8Array]>([
    [404, "is good", { "content-type": json }, wait],
    [404, "is good, whatever it accepts beside", { "content-type": json, accept: "text/html, */*;q=0.1" }, wait],
    [400, "has another body than it says", { "content-type": protobuf }, wait],
    [400, "is no JSON", { "content-type": json }, "{"],
    [400, "has no type", { "content-type": json }, "{}"],
    [501, "has a type that is none", { "content-type": json }, '{"type":"UNKNOWN"}'],
    [415, "is of another type", { "content-type": "text/plain" }, wait],
    [406, "accepts nothing that there is", { "content-type": json, accept: "text/html" }, wait],
    [406, "wants records of one answer", { "content-type": json, accept: recordio }, wait],
    [406, "says what records it accepts, and wants none", { "content-type": json, "message-accept": json }, wait],
    [415, "says what its records are, and has none", { "content-type": json, "message-content-type": json }, wait],
    [400, "has records and does not say of what", { "content-type": recordio }, framed(input)],
    [415, "has records of something else", messages("text/plain"), framed(input)],
    [415, "has records of another call", messages(json), framed(wait)],
    [400, "has no record", messages(json), ""],
    [400, "has a record of no length", messages(json), "x\n"],
    [400, "has half a record", messages(json), framed(input).subarray(0, 30)],
    [403, "would write where nobody may", messages(json), framed(input)],
  ])("is answered %i when it %s", async (status, _what, headers, body) => {
    const answer = await fetch(client.url, { method: "POST", headers, body });
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringMatching(/./)]);
  });

  it("that is no POST is told what to be", async () => {
    const answer = await fetch(client.url);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, expect.stringContaining("POST")]);
  });

  it("without a type of body is refused", async () => {
    const answer = await fetch(client.url, { method: "POST", body: new TextEncoder().encode(wait) });
    expect(answer.status).toBe(400);
  });
});
