import { describe, expect, it } from "vitest";
import { findCredential, parseRegistryConfig, registryAuthHeader, registryHost } from "./registry-auth.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const nobody = async (): Promise<undefined> => undefined;

describe("registry credentials", () => {
  it.each([
    ["https://index.docker.io/v1/", "docker.io"],
    ["index.docker.io", "docker.io"],
    ["https://reg.example.org:5000/v2/", "reg.example.org:5000"],
    ["localhost:5000", "localhost:5000"],
  ])("%s is %s", (server, host) => expect(registryHost(server)).toBe(host));

  it.each([
    ['{"auths":{"https://reg:5000/v1/":{"auth":"AUTH"}}}', "config.json"],
    ['{"reg:5000":{"auth":"AUTH","email":"x@y"}}', ".dockercfg"],
    ['{"auths":{"reg:5000":{"username":"me","password":"a:b"}}}', "plain words"],
  ])("%s", async (json, where) => {
    const config = parseRegistryConfig(json.replace("AUTH", base64("me:a:b")), where);
    const credential = await findCredential(config, "reg:5000", nobody);
    expect(credential).toMatchObject({ username: "me", password: "a:b" });
    expect(await findCredential(config, "other:5000", nobody)).toBeUndefined();
  });

  it("are Docker Hub's under any of its names", async () => {
    const config = parseRegistryConfig(`{"auths":{"https://index.docker.io/v1/":{"auth":"${base64("hub:pw")}"}}}`, "w");
    expect(await findCredential(config, "docker.io", nobody)).toMatchObject({
      username: "hub",
      serverAddress: "https://index.docker.io/v1/",
    });
  });

  it("come from the helper of the registry, else an entry, else the store", async () => {
    const json = { auths: { a: { auth: base64("entry:1") }, b: {} }, credHelpers: { c: "ecr" }, credsStore: "desktop" };
    const config = parseRegistryConfig(JSON.stringify(json), "w");
    const asked: string[] = [];
    const ask = async (helper: string, server: string) => {
      asked.push(`${helper} ${server}`);
      return helper === "ecr" ? { username: "<token>", secret: "t0" } : { username: "stored", secret: "2" };
    };
    expect(await findCredential(config, "a", ask)).toMatchObject({ username: "entry" });
    expect(await findCredential(config, "b", ask)).toMatchObject({ username: "stored" });
    expect(await findCredential(config, "c", ask)).toMatchObject({ identityToken: "t0", username: "" });
    expect(asked).toEqual(["desktop b", "ecr c"]);
  });

  it("say what is wrong, never what is in them", async () => {
    expect(() => parseRegistryConfig("{secret", "the file")).toThrow(/^the file is not JSON$/);
    expect(() => parseRegistryConfig('{"auths":{"r":{"auth":7}}}', "f")).toThrow(
      /f is not a docker configuration \(at 'auths.r.auth'\)/,
    );
    const bad = parseRegistryConfig(`{"auths":{"r":{"auth":"${base64("secretword")}"}}}`, "f");
    await expect(findCredential(bad, "r", nobody)).rejects.toThrow(/^the docker credentials for r are malformed$/);
    const evil = parseRegistryConfig('{"credsStore":"../../bin/sh"}', "f");
    await expect(findCredential(evil, "r", nobody)).rejects.toThrow(/not a credential helper's name/);
  });

  it("travel as base64url with padding", () => {
    const header = registryAuthHeader({ username: "ü?>", password: "p", serverAddress: "r" });
    expect(header).toMatch(/^[A-Za-z0-9_-]+=*$/);
    expect(header.length % 4).toBe(0);
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
      username: "ü?>",
      password: "p",
      serveraddress: "r",
    });
  });
});
