import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../base/errors.ts";
import { prepareText } from "../../config/located-json.ts";
import { forwarderDocs } from "./docs.ts";
import { flagRows, parseFlags } from "./flags.ts";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";
import { loadConfig } from "./load.ts";
import { configText } from "./render.ts";
import { resolveSettings } from "./resolve.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let number = 0;
function load(text: string, environment: Record<string, string> = {}) {
  const path = join(folder, `${number++}.conf`);
  writeFileSync(path, text);
  const warnings: string[] = [];
  const loaded = loadConfig(path, environment, (warning) => warnings.push(warning.replace(path, "F")));
  return { ...loaded, warnings };
}

function failure(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof UserError) return error.text.replaceAll(folder, "").replace(/\/\d+\.conf/, "F");
    throw error;
  }
  return "no failure";
}

describe("the configuration", () => {
  it("is the old one: comments, variables, every old option", () => {
    const { config, warnings } = load(
      `{
  # The network section
  "network": {
    "servers": [ "$ADDRESS" ],
    "ssl certificate": "/a.crt", "ssl key": "/a.key", "SSL CA": "/ca.crt", "timeout": 15, "ssl strict verify": false
  },
  "files": [ { "paths": [ "/var/log/messages", "-" ], "fields": { "type": "\${TYPE}", "Case_Kept-x": "a$NONE" }, "dead time": "12h" } ]
}`,
      { ADDRESS: "logs:5043", TYPE: "syslog" },
    );
    const settings = resolveSettings(config, parseFlags(["-sv=512", "-config", "x", "-idle-flush-time", "5s"]), "/");
    expect(settings.network).toMatchObject({ servers: [{ host: "logs", port: 5043 }], timeout: 15_000 });
    expect(settings.network.tls).toEqual({
      certificate: "/a.crt",
      key: "/a.key",
      ca: "/ca.crt",
      verification: "certificate",
      minimumVersion: "TLSv1.2",
    });
    expect(settings.shipping).toMatchObject({ bulkSize: 512, flushTime: 5000 });
    expect(settings.files[0]).toMatchObject({
      ignoreOlder: 43_200_000,
      fields: { type: "syslog", "Case_Kept-x": "a" },
    });
    expect(warnings).toEqual([expect.stringContaining("line 7: $NONE is not set")]);
  });

  it("takes variables as text inside quotes whatever they hold, and as JSON elsewhere", () => {
    const { config } = load(
      `{ # comments may end a line, too
  "network": { "servers": [ "$SERVERS" ], "timeout": $TIMEOUT },
  "files": [ { "paths": $PATHS, "fields": {
    "odd": "$ODD", "lines": "\${LINES}", "path": "$BACKSLASH", "both": "<$ODD> # no comment", "escaped": "$ESCAPED"
  } } ] # the end
}`,
      {
        SERVERS: 'a:1","b:2',
        TIMEOUT: "20",
        PATHS: '["/x", "/y"]',
        ODD: 'we"ird \\$HOME # {x}',
        LINES: "one\ntwo\t",
        BACKSLASH: "C:\\Users\\",
        ESCAPED: "gr\\u00fcn",
      },
    );
    expect(config.network).toMatchObject({ servers: ["a:1", "b:2"], timeout: 20_000 });
    expect(config.files[0]).toMatchObject({
      paths: ["/x", "/y"],
      fields: {
        odd: 'we"ird \\$HOME # {x}',
        lines: "one\ntwo\t",
        path: "C:\\Users\\",
        both: '<we"ird \\$HOME # {x}> # no comment',
        escaped: "grün",
      },
    });
  });

  it("may be a folder of files: servers and files add up, the rest is said once", () => {
    const many = mkdtempSync(join(folder, "many-"));
    writeFileSync(join(many, "a"), '{"network":{"servers":["a:1"],"timeout":5}}');
    writeFileSync(join(many, "b"), '{"network":{"servers":["b:2"]},"files":[{"paths":["/x"]}]}');
    writeFileSync(join(many, "b~"), "left over by an editor");
    const { config } = loadConfig(many, {}, () => undefined);
    expect(config.network).toMatchObject({ servers: ["a:1", "b:2"], timeout: 5000 });
    writeFileSync(join(many, "c"), '{"network":{"timeout":6}}');
    expect(() => loadConfig(many, {}, () => undefined)).toThrow("'timeout' is already set to 5 in another file");
  });

  it.each([
    ['{\n\n"files": [{"paths": ["/a"],}]}', "F:3: a key in double quotes is expected"],
    ['{\n"network": {"timeout": 15', "F:2: a comma or '}' is expected"],
    ['{\n"network": {"timeout": soon}}', "F:2: 'soon' is not a JSON value"],
    ['{"network": {\n"servers": ["here"]}}', "F:2: 'network.servers[0]': 'here' is not a server: write host:port"],
    ['{"network": {"servers": ["https://a:5043"]}}', "'https://a:5043' is not a server: write host:port"],
    ['{"network": {"servers": ["a/b:5043"]}}', "'a/b:5043' is not a server: write host:port"],
    ['{"network": {"servers": ["a:b:5043"]}}', "'a:b:5043' is not a server: write host:port"],
    ['{"files": [{\n"paths": ["/a"],\n"multiline": {"pattern": "("}}]}', "F:3: 'files[0].multiline.pattern'"],
    ['{"files": [{\n"paths": "/a"}]}', "F:2: 'files[0].paths': takes list of path, not \"/a\"\n  Fix: 'paths' takes: "],
    ['{"files": [{},\n{"paths": ["/a", 1]}]}', "F:2: 'files[1].paths[1]': takes path, not 1"],
    ['{"network": {"timeout": "soon"}}', "'soon' is not a duration"],
    ['{"network": {"timeout": true}}', "'network.timeout': takes duration, not true"],
    ['{"network": {"ssl verification": "maybe"}}', 'takes `full`, `certificate`, `none`, not "maybe"'],
    ['{"network": {"protocol version": 3}}', "'network.protocol version': takes `1`, `2`"],
    ['{"network": []}', "'network': takes section, not []"],
    ["[]", "the configuration: takes section, not []"],
    ['{"files": {"paths": ["/a"]}}', "'files': takes list of section, not {"],
    ['{"shipping": {"bulk size": 20000}}', "is 20000, and at most 10000 is taken"],
    ['{"shipping": {"bulk size": 1.5}}', "takes number, not 1.5"],
    ['{"shipping": {"memory": "1B"}}', "and at least 4MB is taken"],
    ['{"network": {"servers": [""]}}', "is a variable not set?"],
    ['{"files": [{"paths": ["/a"], "fields": {"x": []}}]}', "'files[0].fields.x': takes"],
    ["{}", "names no files to follow"],
  ])("says file, line and fix: %j", (text, message) => {
    expect(failure(text)).toContain(message);
  });

  it.each([
    [
      '{"_comment": "x", "network": {"sevrers": []}, "files": [{"paths": ["/a"]}]}',
      ["'comment' is no section", "did you mean 'servers'?"],
    ],
    [
      '{"files": [{"paths": ["/a"], "type": "syslog", "multiline": {"pattern": "a", "what": "previous"}}]}',
      ["'type' is no option of 'files[0]'", "'what' is no option of 'files[0].multiline'"],
    ],
    [
      '{"files": [{"paths": ["/a"], "fields": null, "dead time": "", "ignore older": null, "multiline": null}]}',
      ["'fields' is null", "'dead time' is empty", "'ignore older' is null", "'multiline' is null"],
    ],
    ['{"network": null, "shipping": null, "files": [{"paths": ["/a"]}]}', ["'network' is null", "'shipping' is null"]],
    [
      '{"files": [null, {}, {"paths": []}, {"paths": null}, {"paths": [null, "/a", ""]}]}',
      [
        "without 'paths'",
        "without 'paths'",
        "without 'paths'",
        "'paths' is null",
        "without 'paths'",
        "an empty item",
        "an empty item",
      ],
    ],
    [
      '{"network": {"ssl certificate": "", "ssl key": "", "ssl ca": "", "servers": ["::1:5043", " a:1 "]}, "files": [{"paths": ["/a"]}]}',
      ["'ssl certificate' is empty", "'ssl key' is empty", "'ssl ca' is empty", "'::1:5043' is taken as '[::1]:5043'"],
    ],
    [
      '{"files": [{"paths": ["/b"]}], "network": {"timeout": 4, "timeout": 5}, "files": [{"paths": ["/a"]}]}',
      ['F:1: "timeout" is there twice: the last counts', '"files" is there twice'],
    ],
    [
      '{"files": [{"paths": ["/a"], "fields": {"message": "m", "offset": "o", "line": "l", "@timestamp": "t", "": "e", "n": null}}]}',
      [
        "'message' stands beside the line",
        "'offset' is left out",
        "'line' is left out",
        "'@timestamp' is left out",
        "without a name",
      ],
    ],
    [
      '{"network": {"timeout": 0, "backoff initial": "0s"}, "reading": {"scan interval": 0}, "shipping": {"bulk size": 0}, "files": [{"paths": ["/a"]}]}',
      [],
    ],
  ])("lets pass, with a warning, what the old program let pass: %s", (text, warnings) => {
    const loaded = load(text);
    expect(loaded.warnings).toEqual(warnings.map((warning) => expect.stringContaining(warning)));
    expect(loaded.config.files.map(({ paths }) => paths)).toEqual([["/a"]]);
    const { network, reading, files } = resolveSettings(loaded.config, parseFlags(["-tap"]), "/");
    expect([
      network.timeout === 15_000 || network.timeout === 5000,
      network.backoff.initial,
      reading.scanInterval,
    ]).toEqual([true, 1000, 10_000]);
    expect([network.tls?.certificate, network.tls?.ca, files[0]?.ignoreOlder]).toEqual([
      undefined,
      undefined,
      86_400_000,
    ]);
    expect(Object.keys(files[0]?.fields ?? {})).toEqual(text.includes('"message"') ? ["message", "n"] : []);
  });

  it("puts sections that are there twice together, as the old program did", () => {
    const { config } = load(
      '{"network": {"servers": ["a:1"]}, "network": {"timeout": 7}, "files": [{"paths": ["/a"]}]}',
    );
    expect(config.network).toMatchObject({ servers: ["a:1"], timeout: 7000 });
  });

  it("says that a certificate without its key, or a key alone, is of no use", () => {
    const { config } = load('{"network": {"servers": ["a:1"], "ssl certificate": "/c"}, "files": [{"paths": ["/a"]}]}');
    const warnings: string[] = [];
    const { network } = resolveSettings(config, parseFlags([]), "/", (warning) => warnings.push(warning));
    expect(network.tls?.certificate).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining("without 'ssl key'")]);
  });

  it("takes an empty server beside others for none, one that is there twice for one, and tells of standard input", () => {
    const resolved = (network: object, files = '[{"paths": ["/a"]}]') => {
      const { config, warnings } = load(`{"network": ${JSON.stringify(network)}, "files": ${files}}`);
      const settings = resolveSettings(config, parseFlags([]), "/", (warning) => warnings.push(warning));
      return { servers: settings.network.servers.map(({ host }) => host), warnings };
    };
    const { servers, warnings } = resolved({ servers: ["a:1", "", "b:1", null, "a:1"] });
    expect(servers).toEqual(["a", "b"]);
    expect(warnings).toEqual(Array(2).fill(expect.stringContaining("an empty item of 'servers' means nothing")));
    expect(resolved({ servers: ["a:1", "a:1"], "load balance": true }).servers).toEqual(["a", "a"]);
    expect(failure('{"network": {"servers": [""]}, "files": [{"paths": ["/a"]}]}')).toContain("is a variable not set?");
    const twice = resolved({ servers: ["a:1"] }, '[{"paths": ["-"]}, {"paths": ["/a", "-"]}]');
    expect(twice.warnings).toEqual([expect.stringContaining("2 entries of 'files' name standard input")]);
  });

  it("leaves out what editors and packages leave in a folder, and says so", () => {
    const many = mkdtempSync(join(folder, "left-"));
    writeFileSync(join(many, "a.conf"), '{"files":[{"paths":["/a"]}]}');
    const leftovers = [
      ..."a.conf~ #a.conf# a.conf.bak a.conf.BAK a.conf.bak2 a.conf.bak.1 a.conf.bak-20260101 a.conf.old a.conf.orig".split(
        " ",
      ),
      ..."a.conf.save a.conf.save.1 a.conf.rej a.conf.tmp a.conf.swp a.conf.swo a.conf.un~ a.conf.~1~ 4913".split(" "),
      ..."a.conf.rpmnew a.conf.rpmsave a.conf.dpkg-old a.conf.dpkg-dist a.conf.ucf-dist a.conf.pacnew a.conf.disabled".split(
        " ",
      ),
    ];
    for (const name of leftovers) writeFileSync(join(many, name), "{ not a configuration");
    for (const name of [".a.conf.swp", ".hidden", ".#lock"]) writeFileSync(join(many, name), "{");
    mkdirSync(join(many, "sub"));
    symlinkSync("/nowhere", join(many, "dangling"));
    const warnings: string[] = [];
    const { files } = loadConfig(many, {}, (warning) => warnings.push(warning));
    expect(files).toEqual([join(many, "a.conf")]);
    expect(warnings.length).toBe(leftovers.length + 1);
  });

  it("is printed so that it can be fed back", () => {
    const text = `{"network": {"servers": ["[::1]:5043", "a:1"], "ssl ca": "/ca", "connection lifetime": "90s", "ssl key passphrase file": "/p"},
      "files": [{"paths": ["/a$$b", "-"], "fields": {"a": "$$X", "line": "x"}, "include lines": ["^\\\\d$$"], "multiline": {"pattern": "^ "}, "json": true},
                {"paths": ["/c"], "dead time": "1h30m", "maximum line": "2MB"}],
      "monitoring": {"address": "127.0.0.1:1"}, "registry": {"path": "r.json"}}`;
    const settings = resolveSettings(load(text).config, parseFlags(["-sv=7"]), "/here");
    const again = load(configText(settings));
    expect(again.warnings).toEqual([]);
    expect(resolveSettings(again.config, parseFlags([]), "/elsewhere")).toEqual(settings);
  });

  it("keeps dollar signs that name no variable, and lines when a value has several", () => {
    const { text, lines } = prepareText('a $" $$X\n#c $Y\n$M\nend', (name) => (name === "M" ? "1\n2" : "no"));
    expect(text).toBe('a $" $X\n\n1\n2\nend');
    expect(lines).toEqual([1, 2, 3, 3, 4]);
  });
});

describe("the command line", () => {
  it("a value that is wrong is told with its flag", () => {
    expect(() => parseFlags(["-idle-flush-time=5x"])).toThrow("-idle-flush-time: '5x' is not a duration");
  });

  it("is Go's: one dash or two, = or a space", () => {
    expect(parseFlags(["-sv", "0", "-idle-flush-time=0", "-hb=0"])).toMatchObject({
      spoolSize: undefined,
      idleFlushTime: 0,
    });
    for (const args of [["-config", "X"], ["-config=X"], ["--config", "X"], ["--config=X"]])
      expect(parseFlags(args).config).toBe("X");
    expect(parseFlags(["-tail", "-quiet=false", "-hb", "16384"])).toMatchObject({
      tail: true,
      quiet: false,
      harvestBufferSize: 16_384,
    });
  });

  it("says what is wrong", () => {
    expect(() => parseFlags(["-cofig=x"])).toThrow(expect.objectContaining({ fix: "did you mean -config?" }));
    expect(() => parseFlags(["-config"])).toThrow("-config needs a value");
    expect(() => parseFlags(["-sv=x"])).toThrow("not a whole number");
    expect(() => parseFlags(["stray"])).toThrow("'stray' is not a flag");
  });
});

describe("durations", () => {
  it.each([
    ["24h", 86_400_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    ["5mins", 300_000],
    ["5min", 300_000],
    ["5m", 300_000],
    ["300s", 300_000],
    ["300secs", 300_000],
    ["2days", 172_800_000],
    ["1h 30mins", 5_400_000],
    ["250ms", 250],
  ])("%s", (text, milliseconds) => {
    expect(parseGoDuration(text)).toBe(milliseconds);
    expect(parseGoDuration(formatGoDuration(milliseconds))).toBe(milliseconds);
  });
});

it("documents every option and flag", () => {
  const docs = forwarderDocs();
  for (const { names } of flagRows) expect(docs).toContain(`\`-${names[0]}\``);
  for (const option of ["ssl verification", "window size", "maximum lines", "close inactive", "status file"])
    expect(docs).toContain(`\`${option}\``);
});

describe("what is written is a file of its own", () => {
  const resolved = (registry: string, { status = "", flags = [] as string[] } = {}): string => {
    const path = join(folder, "own.conf");
    const monitoring = status === "" ? {} : { "status file": status };
    const files = [{ paths: ["*.log"] }];
    writeFileSync(
      path,
      JSON.stringify({ network: { servers: ["a:1"] }, files, registry: { path: registry }, monitoring }),
    );
    try {
      const settings = resolveSettings(loadConfig(path, {}).config, parseFlags(["-config", path, ...flags]), folder);
      return settings.registry.path;
    } catch (error) {
      if (error instanceof UserError) return error.text.replaceAll(folder, "");
      throw error;
    }
  };
  it.each([
    ["/dev/null", {}, "the registry cannot be '/dev/null': it is a device"],
    ["/tmp", {}, "the registry cannot be '/tmp': it is a folder"],
    ["own.conf", {}, "the registry cannot be '/own.conf': that is the configuration"],
    ["r.json", { status: "/dev/zero" }, "the status file cannot be '/dev/zero': it is a device"],
    ["r.json", { status: "r.json" }, "the status file cannot be '/r.json': that is the registry"],
  ])("%s %o is refused before anything is replaced", (registry, more, words) => {
    expect(resolved(registry, more)).toContain(words);
    expect(resolved(registry, more)).toMatch(/Fix: set '(registry path|status file)'/);
  });

  it("or none yet, or one that is not written at all", () => {
    expect(resolved("none/yet.json")).toBe(join(folder, "none/yet.json"));
    expect(resolved("/dev/null", { flags: ["-tap"] })).toBe("/dev/null");
  });

  it("where a link leads to, there or not: the link stays", () => {
    symlinkSync("other.json", join(folder, "link.json"));
    symlinkSync(join(folder, "link.json"), join(folder, "second.json"));
    expect(resolved("second.json")).toBe(join(folder, "other.json"));
    expect(resolved("r.json", { status: "second.json" })).toBe(join(folder, "r.json"));
    expect(resolved("other.json", { status: "second.json" })).toContain("that is the registry");
  });
});
