/**
 * Runs a built program from its bundle and from the compiled code that tools/build.ts keeps beside it. Parsing the agent's
 * bundle takes 18 MB that the C library does not give back, and a sixth of the time until it is registered.
 *
 * The code is for one release of Node, one architecture and one content: with any other the bundle is parsed, as ever. It is read,
 * never written, so a container whose files are read-only has it too, and it is the same on every processor. Node's own
 * compile cache is neither (docs/decisions/0090-memory.md).
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");
const { createRequire } = require("node:module");
const { crc32 } = require("node:zlib");

const HEAD = "(function (exports, require, module, __filename, __dirname) {";

/** Bytes of the checksum behind the compiled code. */
const CHECKSUM = 4;

const compiledPath = (bundle) => bundle.replace(/\.cjs$/, `.${process.version}-${process.arch}.compiled`);

/** The compiled code, when it was made of these bytes. */
function compiledOf(bundle, bytes) {
  try {
    const kept = fs.readFileSync(compiledPath(bundle));
    const end = kept.length - CHECKSUM;
    return kept.readUInt32LE(end) === crc32(bytes) ? kept.subarray(0, end) : undefined;
  } catch (_) {
    return undefined;
  }
}

/** The bundle as a script; `cachedDataRejected` of it is false when it was not parsed. */
function scriptOf(bundle) {
  const bytes = fs.readFileSync(bundle);
  // One byte a letter, in the file and in memory: the build sees to it.
  return new vm.Script(`${HEAD}${bytes.toString("latin1")}\n})`, {
    filename: bundle,
    columnOffset: -HEAD.length,
    cachedData: compiledOf(bundle, bytes),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

function runScript(script, bundle) {
  const own = { exports: {} };
  script.runInThisContext()(own.exports, createRequire(bundle), own, bundle, __dirname);
}

const run = (name) => {
  const bundle = path.join(__dirname, `${name}.cjs`);
  runScript(scriptOf(bundle), bundle);
};

/** Runs a bundle with these words until it ends, and keeps what this Node made of it: with the functions that every start calls. */
function compile(bundle, words) {
  process.argv = [process.execPath, bundle, ...words];
  // A flag that the program sets for itself would be looked for by every start, before the program can set it.
  v8.setFlagsFromString = () => undefined;
  const script = scriptOf(bundle);
  process.once("exit", () => {
    const checksum = Buffer.alloc(CHECKSUM);
    checksum.writeUInt32LE(crc32(fs.readFileSync(bundle)));
    fs.writeFileSync(compiledPath(bundle), Buffer.concat([script.createCachedData(), checksum]));
  });
  runScript(script, bundle);
}

module.exports = { compile, run, scriptOf };
