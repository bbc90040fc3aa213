import { readFileSync } from "node:fs";
import { sleep } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { masterAddress } from "../client/master-address.ts";
import { HttpPeer, type PeerTls } from "../client/peer.ts";
import type { Credential } from "../mesos/credential.ts";
import { credentialOf } from "./credentials.ts";
import { localAgent } from "./local-agent.ts";
import { UsageError } from "./parse.ts";
import type { Shell } from "./shell.ts";

/** The flags that say which agent, and who asks. */
export interface WhereFlags {
  readonly agent: string | undefined;
  readonly master: string | undefined;
  readonly credential: string | undefined;
  readonly principal: string | undefined;
}

const AGENT_PORT = 5051;
const MASTER_PORT = 5050;
/** Milliseconds that ZooKeeper may take to say who leads. */
const LONGEST_ELECTION = 15_000;

interface Given {
  readonly address: string;
  readonly isSecured: boolean;
}

/** `host`, `host:port`, `http://host:port`, `https://host:port/`. Throws a UsageError. */
export function addressGiven(flag: string, text: string, port: number): Given {
  const match = /^(?:(https?):\/\/)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?\/?$/.exec(text.trim());
  const [, scheme, host, digits] = match ?? [];
  if (host === undefined || Number(digits ?? port) > 65_535)
    throw new UsageError(`${flag}=${text} is no address`, `write host:port, such as 10.10.0.111:${port}`);
  return { address: `${host}:${digits ?? port}`, isSecured: scheme === "https" };
}

/** For an address that begins with `https`, on a machine that has no key of its own. */
function trusted(file: string | undefined): PeerTls {
  if (!file) return {};
  try {
    return { ca: readFileSync(file, "utf8") };
  } catch (error) {
    throw new UserError(`LIBPROCESS_SSL_CA_FILE: ${messageOf(error)}`, "name a file with certificates in PEM form");
  }
}

/** The ways to agents and masters, as flags and environment have them. */
export class Reach {
  readonly #where: WhereFlags;
  readonly #shell: Shell;
  readonly #peers: HttpPeer[] = [];
  readonly #credential: Credential | undefined;
  #master: Promise<HttpPeer> | undefined;

  constructor(where: WhereFlags, shell: Shell) {
    this.#where = where;
    this.#shell = shell;
    if (where.agent !== undefined && where.master !== undefined)
      throw new UsageError(
        "--agent and --master do not go together",
        "the master is asked which agent; give one of them",
      );
    this.#credential = credentialOf(where, shell.environment);
  }

  /** Whether a master is asked where things are. */
  get hasMaster(): boolean {
    return this.#where.master !== undefined;
  }

  /** The agent that was named, or this node's. */
  async agent(): Promise<HttpPeer> {
    const { agent } = this.#where;
    const given =
      agent === undefined ? localAgent(this.#shell.environment) : addressGiven("--agent", agent, AGENT_PORT);
    return await this.#peer("agent", given);
  }

  /** An agent that a master has named. @param address `host:port` */
  async agentAt(address: string): Promise<HttpPeer> {
    const { master } = this.#where;
    return await this.#peer("agent", { address, isSecured: master?.startsWith("https://") ?? false });
  }

  /** The master, which sends on to the one that leads. @param otherwise where --master is not given */
  master(otherwise?: string): Promise<HttpPeer> {
    const text = this.#where.master ?? otherwise;
    if (text === undefined) throw new UsageError("no master is given", "give --master=host:port");
    this.#master ??= this.#findMaster(text);
    return this.#master;
  }

  async #findMaster(text: string): Promise<HttpPeer> {
    if (/^(zk|file):\/\//.test(text))
      return await this.#peer("master", { address: await this.#leader(text), isSecured: false });
    const several = text.split(",").map((one) => addressGiven("--master", masterAddress(one), MASTER_PORT));
    let last: unknown;
    for (const given of several) {
      const peer = await this.#peer("master", given);
      try {
        // Whoever does not lead answers with who does.
        if (several.length > 1) await peer.get("/slaves?slave_id=none");
        return peer;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  /** `host:port` of the master that ZooKeeper names. */
  async #leader(text: string): Promise<string> {
    const { clock } = this.#shell;
    const [{ createDetector }, { addressOf, parseUPID }] = await Promise.all([
      import("../zookeeper/detector.ts"),
      import("../libprocess/upid.ts"),
    ]);
    const detector = await createDetector(text, { clock, log: silentLogger });
    const found = Promise.withResolvers<string>();
    detector.watch((info) => {
      const upid = parseUPID(info?.pid);
      if (info !== undefined)
        found.resolve(upid === undefined ? `${info.address?.ip ?? info.hostname}:${info.port}` : addressOf(upid));
    });
    const late = sleep(clock, LONGEST_ELECTION).then(() => undefined);
    const address = await Promise.race([found.promise, late]);
    await detector.close();
    if (address !== undefined) return address;
    throw new UserError(
      `${text.replace(/\/\/[^/@]*@/, "//********@")} names no master that leads`,
      "is ZooKeeper reachable, and does a master run? Give the master's own address: --master=host:port",
    );
  }

  async #peer(what: "agent" | "master", { address, isSecured }: Given): Promise<HttpPeer> {
    const tls = await this.#tls(isSecured);
    const peer = new HttpPeer({ what, address, credential: this.#credential, tls });
    this.#peers.push(peer);
    return peer;
  }

  /** The node's own key, certificate and authorities, where LIBPROCESS_SSL_* name them. */
  async #tls(isSecured: boolean): Promise<PeerTls | undefined> {
    const { environment, clock } = this.#shell;
    const { readTlsSettings } = await import("../libprocess/tls-settings.ts");
    const settings = readTlsSettings(environment);
    if (settings === undefined) return isSecured ? trusted(environment["LIBPROCESS_SSL_CA_FILE"]) : undefined;
    const { TlsMaterial } = await import("../libprocess/tls-material.ts");
    const material = await TlsMaterial.load(settings, { clock, log: silentLogger });
    material.close();
    return { ...material.options, rejectUnauthorized: settings.verify };
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.close())).catch((error: unknown) => messageOf(error));
  }
}
