import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { IMAGE } from "../support/image.ts";
import { useImageNode } from "../support/image-node.ts";
import { Program } from "../support/program.ts";

const image = useImageNode();

/** Every block of docs/deriving.md that names its file: `chapter/name`. */
const blocks = [
  ...readFileSync(resolve(import.meta.dirname, "../../docs/deriving.md"), "utf8").matchAll(
    /^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm,
  ),
].map(([, file = "", text = ""]) => ({ file, text }));
const chapters = [...new Set(blocks.map(({ file }) => dirname(file)))];

/** The certificate that stands for Logstash's, and its key. */
let certificate = "";
let key = "";

/** Builds a chapter's image; its tag. `address` stands for the one of the page. */
function build(chapter: string, address = "localhost:5043"): string {
  const context = join(image.node.folder, `derive-${chapter}`);
  mkdirSync(context, { recursive: true });
  for (const { file, text } of blocks.filter((each) => dirname(each.file) === chapter))
    writeFileSync(join(image.node.folder, `derive-${file}`), text.replaceAll("localhost:5043", address));
  copyFileSync(certificate, join(context, "logstash.crt"));
  image.node.docker.docker("build", "--network", "host", "-t", `derived-${chapter}`, context);
  return `derived-${chapter}`;
}

/** Starts a chapter's image as a container named `node`, with what every node has of its own. */
function run(tag: string, ...more: string[]): void {
  const words = image.node.documented("local", ...more);
  // What the image itself says must not be said again.
  const own = words.filter((word, at) => {
    const pair = word === "-e" ? (words[at + 1] ?? "") : word;
    return !/^(ENVIRONMENT|MESOS_WORKDIR)=/.test(pair);
  });
  image.node.docker.docker(...own.map((word) => (word === IMAGE ? tag : word)));
}

const inside = (...words: string[]): string => image.node.docker.docker("exec", "node", ...words);
const agentSees = (): string => inside("sh", "-c", "tr '\\0' '\\n' < /proc/$(supervisorctl pid mesos)/environ");

beforeAll(() => {
  certificate = join(image.node.folder, "logstash.crt");
  key = join(image.node.folder, "logstash.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], {
    stdio: "ignore",
  });
});

test("every chapter of the page is tried here", () => {
  expect(chapters.toSorted()).toEqual(
    ["certificate", "clean-up", "init-file", "registry", "service", "settings", "shipping"].toSorted(),
  );
});

describe("docs/deriving.md", () => {
  test("settings: baked ones hold, those of docker run win", async () => {
    const tag = build("settings");
    run(tag, "-e", "MESOS_ATTRIBUTES=zone:south", "-e", "SERVICE_LOGSTASH_FORWARDER=disabled");
    await image.node.answers();
    expect(agentSees()).toMatch(/^APP_NAME=shop-node$/m);
    expect(agentSees()).toMatch(/^ENVIRONMENT=production$/m);
    expect(agentSees()).toMatch(/^MESOS_ATTRIBUTES=zone:south$/m);
  });

  test("an environment file", async () => {
    run(build("init-file"));
    await image.node.answers();
    expect(agentSees()).toMatch(/^MESOS_ATTRIBUTES=zone:unknown$/m);
    expect(agentSees()).toMatch(/^APP_NAME=shop-node$/m);
  });

  test.for(["certificate", "shipping"])("%s: the agent's lines arrive", async (chapter) => {
    const port = await freePort();
    const sink = new Program("lumberjack-sink", ["--listen", `127.0.0.1:${port}`, "--cert", certificate, "--key", key]);
    try {
      await sink.printed("listening");
      run(build(chapter, `localhost:${port}`));
      await sink.printed("Mesos agent started on");
      const line = sink.output.split("\n").find((each) => each.includes("Mesos agent started on")) ?? "";
      expect(JSON.parse(line)).toMatchObject({
        type: "mesos-slave",
        environment: "production",
        parent_host: "the-host",
        app_name: "mesos-slave",
        ...(chapter === "shipping" ? { team: "shop" } : {}),
      });
    } finally {
      await sink.stop();
    }
  });

  test("registry credentials: root alone reads them, and the agent takes them", async () => {
    run(build("registry"));
    await image.node.answers();
    expect(inside("stat", "-c", "%a %U", "/root/.docker/config.json")).toBe("600 root");
    expect(
      image.node.docker.run(["exec", "-u", "logstash-forwarder", "node", "cat", "/root/.docker/config.json"]).status,
    ).not.toBe(0);
  });

  test("a service: on the console once, watched, stopped in time", async () => {
    run(build("service"));
    await image.node.answers();
    await image.node.until("the watchdog watches both", () =>
      /watching mesos, exporter/.test(image.node.docker.logs("node")),
    );
    await image.node.until("it runs", () => /^exporter +RUNNING/m.test(inside("supervisorctl", "status")));
    expect(image.node.docker.logs("node").match(/exporting for mesos-slave/g)).toHaveLength(1);
    expect(image.node.docker.logs("node")).toMatch(/^\[exporter\] exporting for mesos-slave$/m);
    expect(image.node.docker.logs("node")).not.toContain("a stop may take");
    const { code, milliseconds } = image.node.stop();
    expect({ code, quick: milliseconds < 10_000 }).toEqual({ code: 0, quick: true });
  });

  test("a clean-up script", async () => {
    run(build("clean-up"));
    await image.node.answers();
    await image.node.until("the watchdog watches", () => image.node.docker.logs("node").includes("watching mesos"));
    expect(image.node.stop().code).toBe(0);
    expect(image.node.docker.logs("node").match(/leaving: stopped/g)).toHaveLength(1);
  });
});
