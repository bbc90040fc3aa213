import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { prepareText } from "../config/located-json.ts";
import { type ForwarderValues, renderForwarderConfiguration } from "./forwarder-conf.ts";

const values: ForwarderValues = {
  address: undefined,
  certificate: undefined,
  appName: `app "quoted"\n`,
  environment: "production",
  parentHost: "host",
  logDir: "/var/log/mesos",
  severities: ["INFO"],
  root: "",
};

const shipped = readFileSync(
  join(resolve(import.meta.dirname, "../.."), "skel/opt/logstash-forwarder/mesos-slave.conf"),
  "utf8",
);
const rendered = (text: string, more: Partial<ForwarderValues> = {}, variables: Record<string, string> = {}) =>
  renderForwarderConfiguration(text, "conf", { ...values, ...more }, (name) => variables[name]);
const render = (...words: Parameters<typeof rendered>) => JSON.parse(rendered(...words).text);

test("the default configuration is as documented", () => {
  expect(JSON.parse(shipped).network).toEqual({
    servers: ["logstash.address:5000"],
    timeout: 15,
    "ssl ca": "/opt/logstash-forwarder/logstash-forwarder.crt",
  });
  const { files } = render(shipped, { severities: ["INFO", "WARNING", "ERROR"] });
  expect(files.map(({ paths }: { paths: string[] }) => paths)).toEqual([
    ["/var/log/syslog", "/var/log/auth.log"],
    ["/var/log/mesos/*.ERROR", "/var/log/mesos/*.INFO", "/var/log/mesos/*.WARNING"],
  ]);
});

test("fields go in whatever they hold; every line is shipped once; the log folder moves", () => {
  const { files } = render(shipped, { logDir: "/logs/" });
  for (const { fields } of files)
    expect(fields).toMatchObject({ app_name: `app "quoted"\n`, environment: "production", parent_host: "host" });
  expect(files[1].paths).toEqual(["/logs/*.INFO"]);
});

test("servers and CA", () => {
  const { network } = render(shipped, { address: "a:1, b:2,", certificate: "/ca" });
  expect(network).toEqual({ servers: ["a:1", "b:2"], timeout: 15, "ssl ca": "/ca" });
});

test("a user's own configuration keeps everything else, and gets no field it does not have", () => {
  const own =
    '{\n # a comment\n "network": {"ssl key": "k"}, "x": 1, "files": [{"paths": ["/a"], "fields": {"type": "t"}}, {"paths": ["-"]}]\n}';
  expect(render(own)).toEqual({
    network: { "ssl key": "k" },
    x: 1,
    files: [{ paths: ["/a"], fields: { type: "t" } }, { paths: ["-"] }],
  });
});

test.for(["{", "[]", "null", "3"])("%s is refused, by name", (text) => {
  expect(() => renderForwarderConfiguration(text, "/etc/f.conf", values, () => undefined)).toThrow("/etc/f.conf");
});

test("it is read as the forwarder reads it: marks, comments behind values, keys in any case, numbers from variables", () => {
  const text = `\ufeff{
  "Network": {"Servers": ["$LS:5043"], "timeout": $SECONDS}, # seconds
  # "network": 1
  "FILES": [{"Paths": ["/a#b"], "Fields": {"App_Name": "kept", "app_name": "x"}}]
}`;
  const { network, files } = render(text.replaceAll("\n", "\r\n"), { appName: "n" }, { SECONDS: "20", LS: "secret" });
  expect(network).toEqual({ servers: ["$LS:5043"], timeout: 20 });
  expect(files).toEqual([{ paths: ["/a#b"], fields: { App_Name: "kept", app_name: "n" } }]);
  expect(rendered('{"files": [], "x": 1, "x": 2}').warnings).toEqual(['conf:1: "x" is there twice: the last counts']);
});

test("the forwarder reads the values back as they were given, dollar signs too", () => {
  const given = {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a variable may hold
    appName: "a$HOME b$$ ${X}",
    parentHost: "$(hostname)",
    certificate: "/c$HOME",
    logDir: "/l$X",
  };
  const { text } = rendered(shipped, given);
  const { network, files } = JSON.parse(prepareText(text, () => "expanded").text);
  expect(network["ssl ca"]).toBe(given.certificate);
  expect(files[1].paths).toEqual(["/l$X/*.INFO"]);
  expect(files[0].fields).toMatchObject({ app_name: given.appName, parent_host: given.parentHost });
});
