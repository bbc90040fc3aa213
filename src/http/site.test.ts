import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { Logger } from "../base/log.ts";
import { silentLogger } from "../base/log.ts";
import { json, text } from "./answer.ts";
import { Origins, parseOrigin } from "./origins.ts";
import type { HttpRequest } from "./request.ts";
import { allowedMethod, type HttpHandler, options, type Route, sameOrigin, scripts, serving } from "./site.ts";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

/** `isHalfOpen`: connections outlive the half that a client closes, as on a libprocess port. */
async function serve(handler: HttpHandler, isHalfOpen = false): Promise<number> {
  const server = Object.assign(createServer(handler), { httpAllowHalfOpen: isHalfOpen });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

const LARGE = { many: "x".repeat(2000) };
let isDestroyed = false;
const streamed = (): Readable =>
  Readable.from(["abc"]).on("close", () => {
    isDestroyed = true;
  });
const handled: string[] = [];
const late: string[] = [];

const get = (handle: Route["handle"], more: Partial<Route> = {}): Route => ({
  methods: ["GET"],
  largestBody: 1024,
  handle,
  ...more,
});
const routes = new Map<string, Route>([
  ["/small", get(() => json("{}"), { isPublic: true })],
  ["/large", get(() => json(JSON.stringify(LARGE)))],
  ["/stream", get(() => ({ kind: "stream", type: "x/y", length: 3, disposition: "attachment", stream: streamed() }))],
  ["/broken", get(() => Promise.reject(new Error("the secret is 42")))],
  [
    "/post",
    get(
      async (asked) => {
        handled.push(asked.method);
        return text(200, (await asked.body(1024)).toString());
      },
      { methods: ["POST"] },
    ),
  ],
  ["/deaf", get(() => text(401, "no"), { methods: ["POST"] })],
  [
    "/events",
    get(() => ({ kind: "open", type: "x/events", opened: (response) => response.end("one two") }), {
      methods: ["POST"],
    }),
  ],
  [
    "/late",
    get(async ({ incoming }) => {
      await once(incoming.socket, "end");
      if (!incoming.socket.writable) await once(incoming.socket, "close");
      return {
        kind: "open",
        type: "x/events",
        opened: () => late.push("opened"),
        discarded: () => late.push("discarded"),
      };
    }),
  ],
]);
const nothing: Route = { methods: "any", largestBody: 1024, handle: () => text(404, "nothing") };

function site(given: readonly string[] = [], log: Logger = silentLogger): HttpHandler {
  const origins = new Origins(given.map(parseOrigin));
  return serving({
    log,
    origins,
    routeOf: (path) => routes.get(path) ?? nothing,
    guards: [
      options(origins),
      sameOrigin(origins, ({ method }) => method === "POST"),
      scripts(origins),
      allowedMethod((methods) => `only ${methods.join(", ")}`),
    ],
  });
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function ask(port: number, method: string, path: string, headers: Record<string, string> = {}, body?: Buffer | string) {
  return new Promise<Got>((done, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        done({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const port = await serve(site());

describe("every route", () => {
  it.each([...routes.keys()])("%s answers OPTIONS with its methods, and runs nothing", async (path) => {
    handled.length = 0;
    const { status, headers, body } = await ask(port, "OPTIONS", path);
    const allow = routes.get(path)?.methods[0] === "POST" ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
    expect([status, headers.allow, body.length, handled]).toEqual([204, allow, 0, []]);
  });

  it.each([...routes.keys()])(
    "%s answers methods that it does not take with 405 and those that it takes",
    async (path) => {
      const isPost = routes.get(path)?.methods[0] === "POST";
      for (const method of ["PUT", "DELETE", "PATCH", ...(isPost ? ["GET", "HEAD"] : ["POST"])]) {
        const { status, headers } = await ask(port, method, path);
        expect([status, headers.allow], method).toEqual([405, isPost ? "POST" : "GET, HEAD"]);
      }
    },
  );

  it("answers HEAD as GET but for the body, and lets go of a file", async () => {
    for (const path of ["/small", "/large", "/stream"]) {
      const whole = await ask(port, "GET", path);
      const head = await ask(port, "HEAD", path);
      expect([head.status, head.body.length], path).toEqual([200, 0]);
      expect(head.headers["content-length"], path).toBe(whole.headers["content-length"]);
      expect(head.headers["content-type"], path).toBe(whole.headers["content-type"]);
    }
    isDestroyed = false;
    await ask(port, "HEAD", "/stream");
    expect(isDestroyed).toBe(true);
  });

  it.each([false, true])("ends what nobody is there for any more, connections half open: %s", async (isHalfOpen) => {
    late.length = 0;
    const socket = connect(await serve(site(), isHalfOpen), "127.0.0.1");
    socket.end("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket.resume(), "close");
    await expect.poll(() => late).toEqual(["discarded"]);
  });

  it("is found by an absolute address, as clients write it to a proxy, under the name that stands there", async () => {
    const hosts: (string | undefined)[] = [];
    const asked: (string | undefined)[] = [];
    const handle = (request: HttpRequest) => {
      hosts.push(request.host);
      asked.push(request.query("a"));
      return text(200, request.path);
    };
    const own = await serve(
      serving({
        ...{ log: silentLogger, origins: new Origins([]), guards: [] },
        routeOf: () => ({ methods: ["GET"], largestBody: 0, handle }),
      }),
    );
    for (const address of ["http://other:1/small?a=1", "HTTPS://other:1/small?a=1", "/small?a=1", "http://other:1"]) {
      const { body } = await ask(own, "GET", address, { host: "here" });
      expect(body.toString()).toBe(address.endsWith("a=1") ? "/small" : "/");
    }
    expect(hosts).toEqual(["other:1", "other:1", "here", "other:1"]);
    expect(asked).toEqual(["1", "1", "1", undefined]);
  });

  it("or none: OPTIONS for the whole server is answered", async () => {
    expect((await ask(port, "OPTIONS", "*")).status).toBe(204);
  });

  it("that is none is told so to every method", async () => {
    for (const method of ["GET", "POST", "PUT", "OPTIONS", "HEAD"])
      expect((await ask(port, method, "/none")).status, method).toBe(404);
  });
});

describe("answers", () => {
  it.each([
    ["gzip", true],
    ["gzip;q=0", false],
    ["br, *;q=0.1", true],
    ["*;q=0", false],
    ["identity", false],
  ])("are compressed for Accept-Encoding %s: %s", async (accepted, isSmall) => {
    const { headers, body } = await ask(port, "GET", "/large", { "accept-encoding": accepted });
    expect(headers["content-encoding"]).toBe(isSmall ? "gzip" : undefined);
    expect(headers.vary).toBe("Accept-Encoding");
    expect(JSON.parse((isSmall ? gunzipSync(body) : body).toString())).toEqual(LARGE);
  });

  it("are scripts for a callback that is a name, and nothing else", async () => {
    for (const [query, status] of [
      ["jsonp=a.b", 200],
      ["x=1;jsonp=a", 200],
      ["jsonp=a&x=1;y=2", 200],
      ["jsonp=a;b", 400],
      ["jsonp=a%3Bb", 400],
      ["x=1&jsonp=alert(1);x", 400],
    ] as const)
      expect((await ask(port, "GET", `/small?${query}`)).status, query).toBe(status);
    expect((await ask(port, "GET", "/small?jsonp=a.b")).body.toString()).toBe("a.b({});");
  });

  it("say nothing of what broke, the log does", async () => {
    const lines: string[] = [];
    const at = await serve(site([], { ...silentLogger, error: (line) => lines.push(line) }));
    const { status, body } = await ask(at, "GET", "/broken");
    expect([status, body.toString()]).toEqual([500, "Something broke here: the log says what\n"]);
    expect(lines).toEqual(["GET /broken failed: the secret is 42"]);
  });

  it("may stay open", async () => {
    const { headers, body } = await ask(port, "POST", "/events");
    expect([headers["transfer-encoding"], headers["content-length"], body.toString()]).toEqual([
      "chunked",
      undefined,
      "one two",
    ]);
  });
});

describe("bodies", () => {
  it.each([
    [{}, Buffer.from("hello"), 200, "hello"],
    [{ "content-encoding": "gzip" }, gzipSync("hello"), 200, "hello"],
    [{ "content-encoding": "br" }, Buffer.from("hello"), 415, "The body was not taken: Content-Encoding 'br'"],
    [{ "content-encoding": "gzip" }, Buffer.from("hello"), 400, "The body was not taken: it cannot be decompressed"],
    [{ "content-encoding": "gzip" }, gzipSync(Buffer.alloc(5000)), 400, "The body was not taken: it cannot"],
    [{}, Buffer.alloc(1025), 413, "The body is larger than"],
  ])("with %o", async (headers, sent, status, words) => {
    const got = await ask(port, "POST", "/post", headers as Record<string, string>, sent);
    expect([got.status, got.body.toString()]).toEqual([status, expect.stringContaining(words)]);
  });

  it.each([
    ["too large", {}, Buffer.alloc(1025)],
    ["in an encoding that is not taken", { "content-encoding": "br" }, Buffer.from("hello")],
    ["that cannot be decompressed", { "content-encoding": "gzip" }, Buffer.from("hello")],
  ])("%s change nothing for who is refused anyway", async (_what, headers, sent) => {
    const got = await ask(port, "POST", "/deaf", headers as Record<string, string>, sent);
    expect([got.status, got.body.toString()]).toEqual([401, "no"]);
  });

  it("that nobody wanted are read before the answer: the next request on the connection is understood", async () => {
    const answers = await new Promise<string>((done) => {
      const socket = connect(port, "127.0.0.1");
      let got = "";
      socket.on("data", (chunk) => {
        got += chunk.toString();
      });
      socket.on("close", () => done(got));
      socket.write("POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
      setImmediate(() => socket.write("abcdGET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    });
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(["401", "200"]);
  });
});

describe("pages of other origins", () => {
  const master = "https://master1.example:5050";

  it("read what is public, until somebody says who may", async () => {
    const origin = { origin: master };
    expect((await ask(port, "GET", "/small", origin)).headers["access-control-allow-origin"]).toBe("*");
    expect((await ask(port, "GET", "/large", origin)).headers["access-control-allow-origin"]).toBeUndefined();
    expect((await ask(port, "POST", "/post", origin)).status).toBe(403);
    const asked = await ask(port, "OPTIONS", "/post", { ...origin, "access-control-request-method": "POST" });
    expect(asked.headers["access-control-allow-methods"]).toBeUndefined();
  });

  it("that are named read and send everything, also what goes wrong", async () => {
    const at = await serve(site([master]));
    const headers = { origin: master };
    for (const [method, path, status] of [
      ["GET", "/small", 200],
      ["GET", "/large", 200],
      ["POST", "/post", 200],
      ["POST", "/events", 200],
      ["GET", "/none", 404],
      ["PUT", "/small", 405],
      ["GET", "/broken", 500],
    ] as const) {
      const got = await ask(at, method, path, { ...headers, "accept-encoding": "gzip" });
      expect([got.status, got.headers["access-control-allow-origin"]], path).toEqual([status, master]);
      expect(got.headers["access-control-allow-credentials"], path).toBe("true");
      expect(got.headers["access-control-expose-headers"], path).toBe("Mesos-Stream-Id");
      expect(got.headers.vary, path).toBe(path === "/large" ? "Accept-Encoding, Origin" : "Origin");
    }
  });

  it("ask first, and are answered without running what they ask for", async () => {
    const at = await serve(site([master]));
    handled.length = 0;
    const headers = { origin: master, "access-control-request-method": "POST" };
    const got = await ask(at, "OPTIONS", "/post", headers);
    expect([got.status, got.body.length, handled]).toEqual([200, 0, []]);
    expect(got.headers).toMatchObject({
      "access-control-allow-origin": master,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "GET, POST, OPTIONS",
      "access-control-allow-headers": "Authorization, Content-Type, Accept, Mesos-Stream-Id",
      vary: "Origin",
    });
    const streaming = { ...headers, "access-control-request-headers": "authorization,message-accept" };
    expect((await ask(at, "OPTIONS", "/post", streaming)).headers["access-control-allow-headers"]).toBe(
      "Authorization, Content-Type, Accept, Mesos-Stream-Id, Message-Accept",
    );
    const deleting = await ask(at, "OPTIONS", "/post", { ...headers, "access-control-request-method": "DELETE" });
    expect(deleting.headers["access-control-allow-methods"]).toBeUndefined();
  });

  it("that are not named get nothing, once some are", async () => {
    const at = await serve(site([master]));
    for (const origin of ["https://attacker.example:5050", "https://master1.example", "null", `${master}.evil`])
      for (const [method, path] of [
        ["GET", "/small"],
        ["OPTIONS", "/post"],
        ["POST", "/post"],
      ] as const) {
        const { headers } = await ask(at, method, path, { origin, "access-control-request-method": "POST" });
        const told = Object.keys(headers).filter((name) => name.startsWith("access-control"));
        expect([told, headers.vary], `${origin} ${method} ${path}`).toEqual([[], "Origin"]);
      }
    expect((await ask(at, "POST", "/post", { origin: "https://attacker.example:5050" })).status).toBe(403);
  });

  it("all may read with *, none brings a password, and none changes what needs none", async () => {
    const at = await serve(site(["*"]));
    const { headers } = await ask(at, "GET", "/large", { origin: "https://any.example" });
    expect(headers["access-control-allow-origin"]).toBe("*");
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
    expect((await ask(at, "POST", "/post", { origin: "https://any.example" })).status).toBe(403);
  });

  it("read by scripts only where they may, once somebody has said who", async () => {
    const browser = { "user-agent": "Mozilla/5.0" };
    const at = await serve(site([master]));
    const status = async (where: number, headers: Record<string, string>): Promise<number> =>
      (await ask(where, "GET", "/small?jsonp=f", headers)).status;
    expect(await status(port, browser)).toBe(200);
    expect(await status(at, browser)).toBe(403);
    expect(await status(at, { ...browser, referer: "https://attacker.example/" })).toBe(403);
    expect(await status(at, { ...browser, referer: `${master}/` })).toBe(200);
    expect(await status(at, { ...browser, referer: `http://127.0.0.1:${at}/` })).toBe(200);
    expect(await status(at, { "user-agent": "curl/8" })).toBe(200);
  });
});

describe("origins", () => {
  it.each([
    ["https://Master1.Example:5050", "https://master1.example:5050"],
    ["https://a.example:443", "https://a.example"],
    ["http://10.0.0.1:5050", "http://10.0.0.1:5050"],
    ["http://[::1]:5050", "http://[::1]:5050"],
    ["*", "*"],
  ])("%s is %s", (given, origin) => {
    expect(parseOrigin(given)).toBe(origin);
  });

  it.each([
    "",
    "master1:5050",
    "https://a.example/",
    "https://a.example/x",
    "ftp://a",
    "null",
    "https://u@a",
    "https://*.a",
  ])("'%s' is none", (given) => {
    expect(() => parseOrigin(given)).toThrow("is not an origin");
  });
});
