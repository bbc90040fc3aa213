import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../base/errors.ts";
import { forwarderDocs } from "./docs.ts";
import { flagRows, parseFlags } from "./flags.ts";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";
import { loadConfig } from "./load.ts";
import { resolveSettings } from "./resolve.ts";
import { prepareText } from "./source-text.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let number = 0;
function load(text: string, environment: Record<string, string> = {}) {
  const path = join(folder, `${number++}.conf`);
  writeFileSync(path, text);
  return loadConfig(path, environment);
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
    const { config } = loadConfig(many, {});
    expect(config.network).toMatchObject({ servers: ["a:1", "b:2"], timeout: 5000 });
    writeFileSync(join(many, "c"), '{"network":{"timeout":6}}');
    expect(() => loadConfig(many, {})).toThrow("'timeout' is already set to 5 in another file");
  });

  it.each([
    ['{\n"network": {"sevrers": []}}', "F:2: 'sevrers' is not an option of 'network'\n  Fix: did you mean 'servers'?"],
    ['{\n\n"files": [{"paths": ["/a"],}]}', "F:3: a key in double quotes is expected"],
    ['{\n"network": {"timeout": 15', "F:2: a comma or '}' is expected"],
    ['{\n"network": {"timeout": soon}}', "F:2: 'soon' is not a JSON value"],
    ['{"network": {\n"servers": ["here"]}}', "F:2: 'network.servers[0]': 'here' is not a server: write host:port"],
    ['{"files": [{\n"paths": ["/a"],\n"multiline": {"pattern": "("}}]}', "F:3: 'files[0].multiline.pattern'"],
    [
      '{"files": [{\n"paths": "/a"}]}',
      "F:2: 'files[0].paths': Invalid input: expected array, received string\n  Fix: 'paths' takes: ",
    ],
    ['{"network": {"timeout": "soon"}}', "'soon' is not a duration"],
    ['{"files": [{"paths": ["/a"], "fields": {"line": "x"}}]}', "the field 'line' is ours"],
    ['{"a": 1, "a": 2}', '"a" is there twice'],
    ["{}", "names no files to follow"],
  ])("says file, line and fix: %j", (text, message) => {
    expect(failure(text)).toContain(message);
  });

  it("keeps dollar signs that name no variable, and lines when a value has several", () => {
    const { text, lines } = prepareText('a $" $$X\n#c $Y\n$M\nend', { M: "1\n2", X: "no" });
    expect(text).toBe('a $" $X\n\n1\n2\nend');
    expect(lines).toEqual([1, 2, 3, 3, 4]);
  });
});

describe("the command line", () => {
  it("is Go's: one dash or two, = or a space", () => {
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
