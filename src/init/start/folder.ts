import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, lstatSync, realpathSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { makeFolder } from "../../base/folders.ts";
import { userName } from "../../base/user-name.ts";
import { DEFAULT_AGENT_PORT } from "./ports.ts";

/**
 * The folder that holds a node: `given`, else `.node` in a checkout (`.mesos-slave` in the home folder without one). A node on
 * another port is another node, with a folder beside: two of them never meet each other's tasks.
 */
export function folderOf(
  given: string | undefined,
  where: { readonly checkout: string | undefined; readonly home: string; readonly port: number },
): string {
  if (given) return given;
  const plain = where.checkout === undefined ? join(where.home, ".mesos-slave") : join(where.checkout, ".node");
  return where.port === DEFAULT_AGENT_PORT ? plain : `${plain}-${where.port}`;
}

/** Where a node goes that has no checkout. Throws a UserError when this user has no home folder, and none is named. */
export function homeOf(find: () => string = homedir): string {
  try {
    return find();
  } catch {
    throw new UserError("this user has no home folder", "say where: START_FOLDER=/var/tmp/mesos-node npm start");
  }
}

const nameOf = (uid: number): string => (uid === 0 ? "root" : `user ${uid}`);

/**
 * Makes the folder. Throws, with the fix, when it is another user's or cannot be written.
 *
 * @returns its path without links: by whichever way it is reached, it is one node
 */
export function claimFolder(root: string, uid: number): string {
  const elsewhere = "START_FOLDER=~/mesos-node npm start";
  const found = existsSync(root) ? lstatSync(root) : undefined;
  if (found !== undefined && found.uid !== uid) {
    const mine = uid === 0 ? `rm -rf '${root}'` : `sudo chown -R ${userName() ?? uid} '${root}'`;
    throw new UserError(
      `${root} belongs to ${nameOf(found.uid)}: a node was started there by another user`,
      `${mine}, or take another folder: ${elsewhere}`,
    );
  }
  try {
    makeFolder(root, 0o755);
    accessSync(root, constants.W_OK | constants.X_OK);
    return realpathSync(root);
  } catch (error) {
    const why = codeOf(error) === "EROFS" ? "the file system is read-only" : messageOf(error);
    const words = codeOf(error) === "EACCES" ? `you may not write in ${dirname(root)}` : why;
    throw new UserError(`${root} cannot be made: ${words}`, `take another folder: ${elsewhere}`);
  }
}

/** Milliseconds that who holds a folder may take to say its number; one that hangs does not. */
const PATIENCE = 500;

/** The process that holds a folder, by its own word; undefined when it says nothing. */
function holderOf(name: string): Promise<string | undefined> {
  return new Promise((done) => {
    let said = "";
    const socket = connect(name).setTimeout(PATIENCE, () => socket.destroy());
    socket.on("data", (chunk) => {
      said += chunk;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => done(/^\d+$/.test(said) ? said : undefined));
  });
}

/**
 * Holds the folder for this process, until the process ends however it does: an abstract socket needs no file that could be
 * left behind. Throws when a node runs from there already.
 */
export function holdFolder(root: string): Promise<Server> {
  const name = `\0mesos-slave-start-${createHash("sha256").update(root).digest("hex").slice(0, 32)}`;
  return new Promise((done, reject) => {
    const server = createServer((socket) => socket.on("error", () => undefined).end(String(process.pid)));
    server.once("error", async (error) => {
      if (codeOf(error) !== "EADDRINUSE") return reject(error);
      const holder = await holderOf(name);
      // Of one without a terminal any more there is only the number.
      const orKill = holder === undefined ? "" : ` (or kill ${holder})`;
      const beside = "MESOS_PORT=5052 MESOS_MASTER=127.0.0.1:5050 npm start";
      reject(
        new UserError(
          `a node runs from ${root} already`,
          `stop it with Ctrl-C where it was started${orKill}, or start another beside it: ${beside}`,
        ),
      );
    });
    server.listen(name, () => {
      server.unref();
      done(server);
    });
  });
}
