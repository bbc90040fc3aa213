import { createServer, type Socket } from "node:net";
import { Agent, interceptors, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpWords } from "./http-words.ts";

const ok = (length: number, body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${body}`;
const moved = (to: string) => `HTTP/1.1 302 Found\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`;
/** What a server answers, and what is said of it. */
const CASES: readonly (readonly [string, string, RegExp])[] = [
  ["/continues", `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(3)}${ok(2, "ok")}`, /not HTTP\/1\.1 that can be read/],
  ["/circle", moved("/circle"), /redirects in a circle/],
  ["/short", ok(20, "ok"), /closed the connection before its answer was complete/],
  ["/nothing", "", /closed the connection before its answer was complete/],
  ["/garbage", "what?\r\n\r\n", /not HTTP\/1\.1 that can be read/],
  ["/chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", /not HTTP\/1\.1 that can be read/],
  ["/upgrade", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", /not HTTP\/1\.1/],
  ["/head", `HTTP/1.1 200 OK\r\nX: ${"a".repeat(100_000)}\r\n\r\n`, /head .* too long/],
  ["/ftp", moved("ftp://h/x"), /no HTTP URL/],
  ["/nowhere", moved("http://"), /no URL/],
];

const server = createServer((socket: Socket) => {
  socket.on("error", () => undefined);
  socket.once("data", (data) => {
    const path = String(data).split(" ")[1];
    socket.end(CASES.find(([one]) => one === path)?.[1] ?? "");
  });
});
const dispatcher = new Agent().compose(interceptors.redirect({ maxRedirections: 5 }));
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  origin = typeof address === "object" ? `http://127.0.0.1:${address?.port}` : "";
});
afterAll(async () => {
  await dispatcher.close();
  server.close();
});

async function failure(path: string): Promise<string> {
  try {
    const { body } = await request(`${origin}${path}`, { dispatcher });
    await body.text();
    return "no failure";
  } catch (error) {
    return httpWords(error);
  }
}

describe("what is said of a server that answers", () => {
  it.each(CASES)("%s", async (path, _answer, words) => {
    const said = await failure(path);
    expect(said).toMatch(words);
    expect(said).not.toMatch(/undici|Agent|assert|falsy|Pool|Client/);
  });
});

it("failures of the system keep their words, and none is without", () => {
  expect(httpWords(Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" }))).toBe(
    "connect ECONNREFUSED 127.0.0.1:1",
  );
  expect(httpWords(new Error("x", { cause: { code: "ERR_ASSERTION" } }))).toMatch(/not HTTP/);
  expect(httpWords(Object.assign(new Error(""), { code: "EPIPE" }))).toBe("EPIPE");
});
