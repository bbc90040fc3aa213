import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
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
const render = (text: string, more: Partial<ForwarderValues> = {}) =>
  JSON.parse(renderForwarderConfiguration(text, "conf", { ...values, ...more }));

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
  expect(() => renderForwarderConfiguration(text, "/etc/f.conf", values)).toThrow("/etc/f.conf");
});
