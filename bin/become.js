/** CommonJS, nothing newer than Node 12 on purpose: this runs under whichever Node the user has. */
"use strict";
const existsSync = require("node:fs").existsSync;
const constants = require("node:os").constants;
const spawn = require("node:child_process").spawn;
const spawnSync = require("node:child_process").spawnSync;

/** Words before a program that make it die with this process, however that ends: prctl(PR_SET_PDEATHSIG), where there is one. */
function tied() {
  const words = ["setpriv", "--pdeathsig", "KILL"];
  const tried = spawnSync(words[0], words.slice(1).concat("true"), { stdio: "ignore" });
  return tried.status === 0 ? words : [];
}

/** A terminal sends these to the child itself; passed on as well, they would arrive twice. */
const OF_THE_TERMINAL = ["SIGINT", "SIGHUP", "SIGQUIT"];

/**
 * Runs `program` in the place of this process: with its streams, its signals, its end. Where this Node can, it becomes the
 * other program and nothing stays in between.
 */
exports.become = function become(program, words, environment) {
  if (typeof process.execve === "function") {
    process.execve(program, [program].concat(words), environment);
  }
  // A path that is not there is reported by us; setpriv would speak for itself.
  const line = (existsSync(program) ? tied() : []).concat(program, words);
  const child = spawn(line[0], line.slice(1), { stdio: "inherit", env: environment });
  ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"].forEach((signal) => {
    process.on(signal, () => {
      if (OF_THE_TERMINAL.indexOf(signal) >= 0 && process.stdin.isTTY) return;
      child.kill(signal);
    });
  });
  child.on("error", (error) => {
    console.error(`cannot run ${program}: ${error.message}`);
    // musl's loader is not there for a program that was linked against glibc.
    if (error.code === "ENOENT") console.error("  Fix: a system with glibc (Debian), or use Node 24 itself");
    process.exit(126);
  });
  child.on("exit", (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
};
