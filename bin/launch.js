/** Runs a program of this package on the Node it was made for. A checkout runs src/, the published package dist/. */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const url = require("node:url");
const become = require("./become.js").become;
const found = require("./node24.js");

/** The entry file of `program`. */
function entryOf(program) {
  const source = path.join(found.root, "src/main", `${program}.ts`);
  return fs.existsSync(source) ? source : path.join(found.root, "dist", `${program}.js`);
}

/** Runs `program` with this process's arguments and environment; ends as it ends. */
exports.launch = function launch(program) {
  const entry = entryOf(program);
  const node = found.node24();
  if (node !== found.realpath(process.execPath)) {
    become(node, [entry].concat(process.argv.slice(2)), process.env);
    return;
  }
  process.argv[1] = entry;
  import(url.pathToFileURL(entry).href).catch((error) => {
    console.error(error);
    process.exit(1);
  });
};
