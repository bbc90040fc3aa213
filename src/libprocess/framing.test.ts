import { describe, expect, it } from "vitest";
import { encodeMessage, recognise } from "./framing.ts";

const master = { id: "master", ip: "10.0.0.1", port: 5050 };
const agent = { id: "slave(1)", ip: "10.0.0.7", port: 5051 };

describe("encodeMessage", () => {
  it("writes exactly the bytes of a real sender", () => {
    const text = encodeMessage(agent, master, "mesos.internal.PingSlaveMessage", Buffer.from([8, 1])).toString(
      "latin1",
    );
    expect(text).toBe(
      "POST /slave(1)/mesos.internal.PingSlaveMessage HTTP/1.1\r\n" +
        "User-Agent: libprocess/master@10.0.0.1:5050\r\n" +
        "Libprocess-From: master@10.0.0.1:5050\r\n" +
        "Connection: Keep-Alive\r\n" +
        "Host: \r\n" +
        "Transfer-Encoding: chunked\r\n" +
        "\r\n" +
        "2\r\n\x08\x01\r\n0\r\n\r\n",
    );
  });

  it("writes no length at all for an empty body", () => {
    const text = encodeMessage(master, agent, "PONG", new Uint8Array()).toString("latin1");
    expect(text).toMatch(/^POST \/master\/PONG HTTP\/1\.1\r\n.*\r\nHost: \r\n\r\n$/s);
    expect(text).not.toMatch(/Length|Encoding/);
  });

  it("gives the body's length in lower-case hexadecimal", () => {
    expect(encodeMessage(master, agent, "m", new Uint8Array(0xabc)).toString("latin1")).toContain("\r\n\r\nabc\r\n");
  });

  it("refuses names that would break the request line", () => {
    expect(() => encodeMessage(master, agent, "a b", new Uint8Array())).toThrow("request line");
    expect(() => encodeMessage({ ...master, id: "x\r\ny" }, agent, "a", new Uint8Array())).toThrow("request line");
  });
});

describe("recognise", () => {
  it("takes a POST with either header for a message", () => {
    expect(recognise("POST", "/slave(1)/PING", { "user-agent": "libprocess/master@10.0.0.1:5050" })).toEqual({
      kind: "message",
      from: master,
      to: "slave(1)",
      name: "PING",
    });
    expect(recognise("POST", "/slave%281%29/a%2fb?x=1", { "libprocess-from": " master@10.0.0.1:5050 " })).toEqual({
      kind: "message",
      from: master,
      to: "slave(1)",
      name: "a%2fb",
    });
  });

  it("delivers messages of unreadable senders", () => {
    expect(recognise("POST", "/master/x", { "user-agent": "libprocess/nonsense" })).toMatchObject({ from: undefined });
  });

  it("leaves everything else to HTTP", () => {
    expect(recognise("GET", "/state", { "libprocess-from": "a@1.2.3.4:5" }).kind).toBe("http");
    expect(recognise("POST", "/slave(1)/api/v1", { "user-agent": "curl/8" }).kind).toBe("http");
  });

  it("refuses what cannot be addressed, with 1.11.0's status", () => {
    const headers = { "user-agent": "libprocess/a@1.2.3.4:5" };
    expect(recognise("POST", "/%zz/x", headers)).toMatchObject({ kind: "refused", status: 500 });
    expect(recognise("POST", "x", headers)).toMatchObject({ kind: "refused", status: 400 });
  });
});
