import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect as connectUnix } from "node:net";
import { join } from "node:path";
import { createServer, type Server as TlsServer } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DockerContainerizerOptions } from "../../src/agent/containerizer/docker/options.ts";
import type { ContainerSpec } from "../../src/agent/model/container.ts";
import { systemClock } from "../../src/base/clock.ts";
import { credentialHelper } from "../../src/docker/credential-helper.ts";
import { engineEndpoint } from "../../src/docker/endpoint.ts";
import { HttpEngine } from "../../src/docker/http-engine.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { keepingLogger, newWorkDir, openContainerizer } from "../support/dockerd-containerizer.ts";
import { dockerSpec, readOutput } from "../support/dockerd-tasks.ts";
import { freePort } from "../support/free-port.ts";
import { REGISTRY_PASSWORD, REGISTRY_USER, registryMissing, TestRegistry } from "../support/registry.ts";

const missing = dockerdMissing() ?? registryMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const never = new AbortController().signal;

describe("images from a private registry", () => {
  let dockerd: TestDockerd;
  let registry: TestRegistry;
  let workDir: string;
  let image: string;
  const auth = Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString("base64");

  beforeAll(async () => {
    if (missing !== undefined) return;
    registry = await TestRegistry.start(await freePort());
    dockerd = await TestDockerd.start([], { SSL_CERT_FILE: registry.certificate });
    workDir = await newWorkDir();
    image = `${registry.host}/team/box:1`;
    await dockerd.docker("tag", "box:1", image);
    await dockerd.docker("login", "-u", REGISTRY_USER, "-p", REGISTRY_PASSWORD, registry.host);
    await dockerd.docker("push", image);
    await dockerd.docker("logout", registry.host);
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    await dockerd.stop();
    await registry.stop();
    await rm(workDir, { recursive: true, force: true });
  });
  beforeEach(async (ctx) => {
    if (missing !== undefined) return ctx.skip(missing);
    await dockerd.docker("rmi", "-f", image).catch(() => undefined);
  });

  const launch = async (spec: ContainerSpec, options: Partial<DockerContainerizerOptions>) => {
    const containerizer = await openContainerizer(dockerd, workDir, options);
    try {
      await containerizer.launch(spec, never);
      await containerizer.wait(spec.containerId);
      return await readOutput(spec);
    } finally {
      await containerizer.close();
      await dockerd.docker("rm", "-f", `mesos-${spec.containerId}`).catch(() => undefined);
    }
  };
  const wanted = () => dockerSpec(workDir, "echo pulled", { docker: { image } });
  const configJson = () => JSON.stringify({ auths: { [`https://${registry.host}`]: { auth } } });

  it("puts the registry's own words into the failure", async () => {
    await expect(launch(await wanted(), {})).rejects.toThrow(
      /Failed to pull image '.*team\/box:1': .*no basic auth credentials/,
    );
    const wrong = JSON.stringify({ auths: { [registry.host]: { username: REGISTRY_USER, password: "wrong" } } });
    const spec = await wanted();
    await expect(launch(spec, { dockerConfig: wrong })).rejects.toThrow(/unauthorized/i);
    const absent = await dockerSpec(workDir, "true", { docker: { image: `${registry.host}/team/absent:9` } });
    await expect(launch(absent, { dockerConfig: configJson() })).rejects.toThrow(/absent:9.* not found/);
  });

  it("logs in with files that a task's URIs brought", async () => {
    for (const [name, text] of [
      [".docker/config.json", configJson()],
      [".dockercfg", JSON.stringify({ [registry.host]: { auth, email: "a@b.c" } })],
    ] as const) {
      await dockerd.docker("rmi", "-f", image).catch(() => undefined);
      const spec = await wanted();
      await mkdir(join(spec.sandbox, ".docker"), { recursive: true });
      await writeFile(join(spec.sandbox, name), text);
      expect(await launch(spec, {})).toBe("pulled\n");
    }
  });

  it("logs in with --docker_config, credentials of the agent's home, and a credential helper", async () => {
    expect(await launch(await wanted(), { dockerConfig: configJson() })).toBe("pulled\n");
    await dockerd.docker("rmi", "-f", image);
    const home = join(workDir, "home");
    await mkdir(join(home, ".docker"), { recursive: true });
    await writeFile(join(home, ".docker/config.json"), JSON.stringify({ credHelpers: { [registry.host]: "test" } }));
    const helper = join(workDir, "docker-credential-test");
    const answer = JSON.stringify({ ServerURL: registry.host, Username: REGISTRY_USER, Secret: REGISTRY_PASSWORD });
    await writeFile(helper, `#!/bin/sh\nread server; echo "$server" > ${workDir}/asked; echo '${answer}'\n`);
    await chmod(helper, 0o755);
    const log = keepingLogger();
    const askHelper = credentialHelper({ PATH: `${workDir}:/bin:/usr/bin` });
    expect(await launch(await wanted(), { home, askHelper, log })).toBe("pulled\n");
    expect((await readFile(join(workDir, "asked"), "utf8")).trim()).toBe(registry.host);
    expect(log.lines.join("\n")).toContain(`Pulled image ${image}`);
    expect(log.lines.join("\n")).not.toContain(REGISTRY_PASSWORD);
  });

  it("pulls an image once for many who want it at the same time, and again when forced", async () => {
    const log = keepingLogger();
    // Nobody pulls before the daemon has told all four that it lacks the image.
    const all = Promise.withResolvers<void>();
    let asking = 0;
    const askHelper = async () => {
      asking++;
      if (asking === 4) all.resolve();
      await all.promise;
      return { username: REGISTRY_USER, secret: REGISTRY_PASSWORD };
    };
    const dockerConfig = JSON.stringify({ credHelpers: { [registry.host]: "test" } });
    const containerizer = await openContainerizer(dockerd, workDir, { dockerConfig, askHelper, log });
    const specs = await Promise.all(Array.from({ length: 4 }, wanted));
    await Promise.all(specs.map((spec) => containerizer.launch(spec, never)));
    await Promise.all(specs.map(({ containerId }) => containerizer.wait(containerId)));
    const pulls = () => log.lines.filter((line) => line.startsWith("Pulling image")).length;
    expect(pulls()).toBe(1);
    const again = await dockerSpec(workDir, "true", { docker: { image } });
    await containerizer.launch(again, never);
    expect(pulls()).toBe(1);
    const forced = await dockerSpec(workDir, "true", { docker: { image, forcePullImage: true } });
    await containerizer.launch(forced, never);
    expect(pulls()).toBe(2);
    for (const { containerId } of [again, forced]) await containerizer.wait(containerId);
    await containerizer.close();
    for (const id of (await dockerd.docker("ps", "-aq")).split("\n")) await dockerd.docker("rm", "-f", id);
  });

  it("removes unused images when the disk is full, but none in use or excluded; a dry run removes nothing", async () => {
    const images = async () =>
      (await dockerd.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n").sort();
    for (const name of ["old:1", "excluded:1", "busy:1"]) {
      const change = `LABEL name=${name}`;
      await dockerd.docker("import", "-c", change, "-m", name, join(dockerd.folder, "busybox.tar"), name);
    }
    await dockerd.docker("run", "-d", "--name", "user", "busy:1", "sleep", "1000");
    await dockerd.docker("run", "-d", "--name", "box", "box:1", "sleep", "1000");
    const before = await images();
    const { ImageCollector } = await import("../../src/agent/containerizer/docker/image-collection.ts");
    const engine = dockerd.engine();
    const disk = async () => ({ free: 0, total: 1e12 });
    const settings = { headroom: 0.1, interval: 1e9, excluded: ["excluded:1"], disk };
    const log = keepingLogger();
    const dry = new ImageCollector(engine, { ...settings, dryRun: true }, systemClock, log);
    await dry.collect();
    expect(await images()).toEqual(before);
    expect(log.lines.some((line) => line.includes("would remove old:1"))).toBe(true);
    const wet = new ImageCollector(engine, { ...settings, dryRun: false }, systemClock, log);
    await wet.protect("protected:1", () => wet.collect());
    expect(await images()).toEqual(before.filter((name) => name !== "old:1" && !name.startsWith(registry.host)));
    dry.close();
    wet.close();
    await engine.close();
  });

  it("reaches the daemon over TCP with TLS and a client certificate, and says what is wrong without", async () => {
    const certificates = join(workDir, "certificates");
    await mkdir(certificates);
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const keys = ["-keyout", join(certificates, "key.pem"), "-out", join(certificates, "cert.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...keys], {
      stdio: "ignore",
    });
    await writeFile(join(certificates, "ca.pem"), await readFile(join(certificates, "cert.pem")));
    const [cert, key, ca] = await Promise.all(
      ["cert.pem", "key.pem", "ca.pem"].map((name) => readFile(join(certificates, name))),
    );
    const server: TlsServer = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, (socket) => {
      const daemon = connectUnix(dockerd.socket);
      socket.pipe(daemon).pipe(socket);
      for (const [one, other] of [
        [socket, daemon],
        [daemon, socket],
      ] as const) {
        one.on("error", () => undefined).on("close", () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const dockerHost = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const endpointOf = (variables: Record<string, string>) =>
      engineEndpoint((name) => ({ DOCKER_HOST: dockerHost, DOCKER_TLS_VERIFY: "1", ...variables })[name]);
    const engine = new HttpEngine(endpointOf({ DOCKER_CERT_PATH: certificates }), systemClock);
    expect((await engine.version()).api).toMatch(/^1\.\d+$/);
    await engine.close();
    const stranger = new HttpEngine(endpointOf({}), systemClock);
    await expect(stranger.version()).rejects.toThrow(
      new RegExp(`cannot reach the Docker daemon at ${dockerHost}.*certificate`),
    );
    await stranger.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
