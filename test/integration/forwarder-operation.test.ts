import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";
import { missing } from "../support/missing.ts";

const suite = forwarderSuite("operation");
const { place, receive, start } = suite;

describe("being operated", () => {
  it("serves its status and metrics", async () => {
    const folder = place();
    const receiver = await receive();
    const port = await freePort();
    writeFileSync(join(folder, "a.log"), textOf(numbered(10)));
    const statusFile = join(folder, "status.json");
    const more = { monitoring: { address: `127.0.0.1:${port}`, "status file": statusFile } };
    const forwarder = start(configure(folder, [receiver.port], { more }));
    await until(() => receiver.events.length >= 10, "all lines", forwarder.log);
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    // The receiver has the lines a moment before their acknowledgement is here.
    let status = JSON.parse(await get("/status"));
    for (const end = Date.now() + 30_000; status.shipped.events < 10 && Date.now() < end; )
      status = JSON.parse(await get("/status"));
    expect(status).toMatchObject({
      shipped: { events: 10 },
      servers: [{ state: "ready", events: 10 }],
      files: [{ source: join(folder, "a.log"), lagBytes: 0, lagSeconds: 0 }],
    });
    const metrics = await get("/metrics");
    expect(metrics).toContain("logstash_forwarder_events_total 10");
    expect(metrics).toContain(`logstash_forwarder_file_lag_bytes{source="${join(folder, "a.log")}"} 0`);
    forwarder.process.kill("SIGTERM");
    await forwarder.exit;
    expect(JSON.parse(readFileSync(statusFile, "utf8")).shipped.events).toBe(10);
  });

  it("stops in bounded time with a receiver that does not answer", async () => {
    const folder = place();
    const receiver = await receive({ silent: true });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port], { shipping: { "drain time": "300ms" } }));
    await until(() => receiver.windows.length > 0, "a window", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(forwarder.log()).toContain("sent again at the next start");
  });

  it("runs as nobody, on a root that cannot be written but for its registry", async (context) => {
    if (process.getuid?.() !== 0 || !existsSync("/usr/bin/unshare")) missing(context, "it needs root and unshare(1)");
    const folder = place();
    const receiver = await receive();
    for (const path of [suite.path, folder]) chmodSync(path, 0o755);
    const state = join(folder, "state");
    mkdirSync(state);
    chownSync(state, 65_534, 65_534);
    writeFileSync(join(folder, "a.log"), textOf(numbered(100)));
    writeFileSync(join(folder, "private.log"), "not for nobody\n", { mode: 0o600 });
    mkdirSync(join(folder, "barred/deep"), { recursive: true, mode: 0o700 });
    const patterns = ["*.log", "barred/*.log", "barred/deep/a.log"].map((pattern) => join(folder, pattern));
    const config = configure(folder, [receiver.port], {
      file: { paths: patterns },
      more: { registry: { path: join(state, "registry.json") } },
    });
    const script = `mount --bind ${state} ${state} && mount -o remount,ro,bind / && exec setpriv --reuid 65534 --regid 65534 --clear-groups ${process.execPath} ${suite.program()} -config ${config} -once -quiet`;
    const { stdout: output } = await promisify(execFile)("unshare", ["-m", "sh", "-c", `${script} 2>&1`], {
      timeout: 30_000,
    });
    expect(linesOf(receiver)).toEqual(numbered(100));
    expect(output).toContain(`ERROR: cannot read '${folder}/private.log'`);
    expect(output).toContain(`nothing is found for '${patterns[1]}': this user may not look into '${folder}/barred'`);
    expect(output).toContain(
      `nothing is found for '${patterns[2]}': this user may not look into '${folder}/barred/deep'`,
    );
    expect(existsSync(join(state, "registry.json"))).toBe(true);
  });
});
