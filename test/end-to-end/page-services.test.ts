import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { PageHost } from "../support/page-host.ts";

const missing = whyNoBrowser() ?? (existsSync("/usr/bin/supervisord") ? undefined : "supervisord is not installed");
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

/** A real supervisord with one program that runs, one that cannot be started, and the project's own forwarder. */
function supervisorConfiguration(folder: string, forwarder: string): string {
  const program = (name: string, command: string, more = ""): string =>
    `[program:${name}]\ncommand=${command}\n${more}stdout_logfile=NONE\nstderr_logfile=NONE\n`;
  return [
    `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${folder}/supervisord.pid\nuser=root`,
    `[unix_http_server]\nfile=${folder}/supervisor.sock`,
    "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    program("steady", "/bin/sleep 1000"),
    program("broken", "/bin/false", "startretries=0\nstartsecs=5\n"),
    program("logstash-forwarder", forwarder, "startsecs=0\n"),
  ].join("\n");
}

describe.skipIf(missing !== undefined)("the services on the node's page", () => {
  const folder = mkdtempSync(join(tmpdir(), "services-"));
  let host: PageHost;
  let end: () => Promise<void>;

  beforeAll(async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const configuration = join(folder, "logstash-forwarder", "mesos-slave.conf");
    mkdirSync(join(folder, "logstash-forwarder"));
    writeFileSync(join(folder, "followed.log"), "one line\n");
    writeFileSync(
      configuration,
      JSON.stringify({
        // Nobody listens there: what the file has stays behind.
        network: { servers: ["127.0.0.1:9"], transport: "tcp" },
        monitoring: { address },
        registry: { path: join(folder, "registry.json") },
        files: [{ paths: [join(folder, "followed.log")] }],
      }),
    );
    const program = join(import.meta.dirname, "../../src/main/logstash-forwarder.ts");
    const forwarder = `${process.execPath} --disable-warning=ExperimentalWarning ${program} -config ${configuration}`;
    writeFileSync(join(folder, "supervisord.conf"), supervisorConfiguration(folder, forwarder));
    const child = spawn("/usr/bin/supervisord", ["-c", join(folder, "supervisord.conf")], { stdio: "ignore" });
    end = async () => {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
    };
    host = await PageHost.open({ environment: { SUPERVISOR_SERVER_URL: `unix://${folder}/supervisor.sock` } });
  });

  afterAll(async () => {
    await host?.close();
    await end?.();
    rmSync(folder, { recursive: true, force: true });
  });

  it("are there with their states, redpill's verdict, and how far the forwarder is", async () => {
    const { page } = host;
    writeFileSync(join(folder, "redpill.verdict"), "70 broken entered the FATAL state\n");
    await page.goto(`${host.home}#/node`);
    const row = (name: string) => page.locator("#service-table tr", { has: page.getByText(name, { exact: true }) });
    await row("steady").getByText("running").waitFor();
    await row("broken").getByText("fatal").waitFor();
    expect(await row("broken").locator(".badge").getAttribute("data-tone")).toBe("bad");
    await page.getByText("redpill: 70 broken entered the FATAL state").waitFor();
    const forwarder = page.locator("#forwarder");
    await forwarder
      .locator("div", { hasText: "followed.log" })
      .getByText(/9 B behind/)
      .waitFor();
    await forwarder.getByText("127.0.0.1:9").waitFor();
    await host.inEachWidth("services", async () => expect(await host.isTooWide()).toBe(false));
  });
});
