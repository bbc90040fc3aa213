/**
 * Runs a part of the project on the Node it was made for, whichever Node and npm the user has. All scripts of package.json go
 * through here.
 *
 *   node tools/run.cjs [--dev] FILE.ts ARGUMENT…     that file
 *   node tools/run.cjs [--dev] FOLDER/ NAME ARGUMENT…  FOLDER/NAME.ts; without NAME their list
 *   node tools/run.cjs [--dev] PROGRAM ARGUMENT…     that program of node_modules/.bin
 *
 * --dev: it needs what only developers need, which `npm ci` leaves out (.npmrc): what is missing is fetched first.
 * CommonJS, nothing newer than Node 12 on purpose: this runs under any Node from 18.
 */
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const childProcess = require("node:child_process");
const become = require("../bin/become.js").become;
const found = require("../bin/node24.js");

function read(file) {
  return JSON.parse(fs.readFileSync(path.join(found.root, file), "utf8"));
}

/** Development packages that are not there in the version that package.json names. */
function missingPackages() {
  const wanted = read("package.json").devDependencies;
  return Object.keys(wanted).filter((name) => {
    try {
      return read(`node_modules/${name}/package.json`).version !== wanted[name];
    } catch (_) {
      return true;
    }
  });
}

/** Adds them to node_modules, as the lockfile says; nothing that runs from there is taken away. */
function fetchPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const words = ["install", "--include=dev", "--no-save", "--prefer-offline", "--no-audit", "--no-fund"];
  console.error(`Fetching what developers need (${missing.length} packages): npm ${words.slice(0, 3).join(" ")}`);
  const npm = process.env.npm_execpath;
  const command = npm ? [process.execPath, npm] : ["npm"];
  const result = childProcess.spawnSync(command[0], command.slice(1).concat(words), {
    cwd: found.root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status === 0 && missingPackages().length === 0) return;
  console.error(`Not there: ${missingPackages().join(", ")}\n  Fix: npm ci --include=dev`);
  process.exit(1);
}

/** The list of what FOLDER/ holds, for whoever gave no name. */
function list(folder) {
  const names = fs.readdirSync(path.join(found.root, folder)).filter((name) => /\.ts$/.test(name));
  console.log(names.map((name) => name.replace(/\.ts$/, "")).join("\n"));
  process.exit(64);
}

const words = process.argv.slice(2);
if (words[0] === "--dev") {
  words.shift();
  fetchPackages();
}
const node = found.node24();
const environment = Object.assign({}, process.env);
// First on the path, for scripts that begin with `#!/usr/bin/env node`.
environment.PATH = [path.dirname(node), path.join(found.root, "node_modules/.bin"), process.env.PATH].join(
  path.delimiter,
);
// npm sets it because of `omit=dev`; nobody asked for it.
if (environment.npm_config_omit === "dev") delete environment.NODE_ENV;

if (/\/$/.test(words[0])) {
  if (words.length === 1) list(words[0]);
  words.splice(0, 2, `${words[0] + words[1].replace(/\.ts$/, "")}.ts`);
}
if (/\.ts$/.test(words[0])) become(node, words, environment);
else {
  const program = path.join(found.root, "node_modules/.bin", words[0]);
  if (fs.readFileSync(program).subarray(0, 2).toString() === "#!")
    become(node, [program].concat(words.slice(1)), environment);
  else become(program, words.slice(1), environment);
}
