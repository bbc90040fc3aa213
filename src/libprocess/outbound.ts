import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { Channel, type ChannelLimits, DEFAULT_CHANNEL_LIMITS, type Dialer } from "./channel.ts";
import { encodeMessage } from "./framing.ts";
import { addressOf, sameUPID, type UPID } from "./upid.ts";

/**
 * Called once when the connection to a linked process breaks or cannot be made; the link is gone then. `lived` is how
 * many milliseconds it was connected, undefined when it never was.
 */
export type Exited = (upid: UPID, why: string, lived: number | undefined) => void;

export interface LinksOptions {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<ChannelLimits>;
}

interface Link {
  readonly upid: UPID;
  readonly exited: Exited;
}

/** What we hold towards one address. */
interface Peer {
  /** Made by `link`; every message goes here while it lives. */
  persistent: Channel | undefined;
  /** Made by a `send` that found no socket; closed when its queue runs empty. */
  temporary: Channel | undefined;
  links: Link[];
}

/**
 * Outgoing connections: per address one persistent socket that all links share, and temporary ones for messages to peers
 * that are not linked. Order holds within one socket. Nothing is sent again: what is queued on a socket that breaks is
 * lost, and the linked processes are told.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #limits: ChannelLimits;
  readonly #peers = new Map<string, Peer>();
  /** The temporary channels, oldest first. */
  readonly #temporaries = new Map<Channel, () => void>();
  #closed = false;

  constructor(options: LinksOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_CHANNEL_LIMITS, ...options.limits };
  }

  /** Connects to the peer of `upid` unless it is connected; `exited` hears once when that connection is gone. */
  link(upid: UPID, exited: Exited): void {
    const peer = this.#peer(upid);
    if (!peer.links.some((link) => link.exited === exited && sameUPID(link.upid, upid)))
      peer.links.push({ upid, exited });
    peer.persistent ??= this.#persistent(upid, peer);
  }

  /** Links over a fresh socket. The previous one is closed without telling anybody; its links move over. */
  relink(upid: UPID, exited: Exited): void {
    const peer = this.#peer(upid);
    const previous = peer.persistent;
    peer.links = peer.links.filter((link) => link.exited !== exited || !sameUPID(link.upid, upid));
    peer.links.push({ upid, exited });
    peer.persistent = this.#persistent(upid, peer);
    previous?.finish();
  }

  /** Forgets the links of `exited`; the socket is closed when nobody else uses it. */
  unlink(exited: Exited): void {
    for (const [address, peer] of this.#peers) {
      const before = peer.links.length;
      peer.links = peer.links.filter((link) => link.exited !== exited);
      if (peer.links.length > 0 || before === 0) continue;
      peer.persistent?.finish();
      peer.persistent = undefined;
      this.#forgetIfIdle(address, peer);
    }
  }

  /** Sends a message; to nobody (undefined) it is a silent no-op. Never fails: the transport promises nothing. */
  send(to: UPID | undefined, from: UPID, name: string, body: Uint8Array): void {
    if (to === undefined || this.#closed) return;
    const bytes = encodeMessage(to, from, name, body);
    const peer = this.#peer(to);
    const channel = peer.persistent ?? peer.temporary;
    if (channel?.usable) channel.write(bytes);
    else {
      peer.temporary = this.#temporary(to, peer);
      peer.temporary.write(bytes);
    }
  }

  /** Bytes that wait to be written, over all peers; number of peers. */
  get load(): { readonly peers: number; readonly unwritten: number } {
    let unwritten = 0;
    for (const { persistent, temporary } of this.#peers.values())
      unwritten += (persistent?.unwritten ?? 0) + (temporary?.unwritten ?? 0);
    return { peers: this.#peers.size, unwritten };
  }

  /** Writes what is queued and closes every connection, without exited events; waits no longer than `linger` for a peer. */
  async close(): Promise<void> {
    this.#closed = true;
    const channels = [...this.#peers.values()].flatMap(({ persistent, temporary }) => [persistent, temporary]);
    this.#peers.clear();
    for (const channel of channels) channel?.finish();
    await Promise.all(channels.map((channel) => channel?.gone));
  }

  #peer(upid: UPID): Peer {
    const address = addressOf(upid);
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const peer: Peer = { persistent: undefined, temporary: undefined, links: [] };
    this.#peers.set(address, peer);
    return peer;
  }

  #persistent(upid: UPID, peer: Peer): Channel {
    const address = addressOf(upid);
    const channel: Channel = new Channel(upid, this.#options.dialer, this.#options.clock, this.#limits, {
      idle: () => undefined,
      broken: (why, lived) => {
        if (peer.persistent !== channel) return;
        this.#options.log.verbose(1, `Link to ${address} is gone: ${why}`);
        peer.persistent = undefined;
        const links = peer.links;
        peer.links = [];
        this.#forgetIfIdle(address, peer);
        for (const { upid: linked, exited } of links) exited(linked, why, lived);
      },
    });
    return channel;
  }

  #temporary(upid: UPID, peer: Peer): Channel {
    const address = addressOf(upid);
    const gone = (): void => {
      if (peer.temporary !== channel) return;
      peer.temporary = undefined;
      this.#forgetIfIdle(address, peer);
    };
    const channel: Channel = new Channel(upid, this.#options.dialer, this.#options.clock, this.#limits, {
      idle: () => {
        channel.finish();
        gone();
      },
      broken: (why) => {
        this.#options.log.verbose(1, `Messages to ${address} are lost: ${why}`);
        gone();
      },
    });
    this.#makeRoom();
    this.#temporaries.set(channel, gone);
    void channel.gone.then(() => this.#temporaries.delete(channel));
    return channel;
  }

  /** Gives the oldest temporary channels up: those that are answered at once never grow old. */
  #makeRoom(): void {
    for (const [channel, gone] of this.#temporaries) {
      if (this.#temporaries.size < this.#limits.temporary) return;
      this.#temporaries.delete(channel);
      gone();
      channel.close();
    }
  }

  #forgetIfIdle(address: string, peer: Peer): void {
    if (peer.persistent === undefined && peer.temporary === undefined && this.#peers.get(address) === peer)
      this.#peers.delete(address);
  }
}
