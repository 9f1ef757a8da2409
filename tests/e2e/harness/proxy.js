/** A WebSocket proxy between client and server that can lose single frames and cut connections. */
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { Journal } from './journal.js';

/** @typedef {'up' | 'down'} Direction `up` is towards the server. */
/** @typedef {{direction: Direction, frame: any}} Passing */

export class Proxy {
  /** @param {() => string} target Where connections go, asked for each one: a server may move. */
  constructor(target) {
    this.target = target;
    this.url = '';
    this.http = createServer();
    this.sockets = new WebSocketServer({ noServer: true });
    /** Connections that wait for `release`; `undefined` while connections pass. @type {(() => void)[] | undefined} */
    this.held = undefined;
    this.http.on('upgrade', (request, socket, head) => {
      const accept = () =>
        this.sockets.handleUpgrade(request, socket, head, (client) => this.#join(client, request.url ?? '/'));
      if (this.held) this.held.push(accept);
      else accept();
    });
    /** @type {Set<WebSocket>} */
    this.open = new Set();
    /** @type {((passing: Passing) => boolean) | undefined} */
    this.loses = undefined;
    /** @type {Journal<Passing>} */
    this.lost = new Journal('frames lost by the proxy');
  }

  async start() {
    await new Promise((resolve) => this.http.listen(0, '127.0.0.1', () => resolve(undefined)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.http.address());
    this.url = `ws://127.0.0.1:${port}`;
    proxies.add(this);
    return this;
  }

  /**
   * Loses the next frame that `predicate` accepts; resolves once that has happened.
   *
   * @param {(passing: Passing) => boolean} predicate
   * @returns {Promise<Passing>}
   */
  loseNext(predicate) {
    this.loses = predicate;
    return this.lost.next(() => true, { what: 'frame to lose' });
  }

  /** Cuts all connections on both sides, as a dying network does. */
  cut() {
    for (const socket of this.open) socket.terminate();
  }

  /** Cuts all connections and lets new ones wait: the network is gone. */
  hold() {
    this.held = [];
    this.cut();
  }

  /** The network is back. */
  release() {
    const waiting = this.held ?? [];
    this.held = undefined;
    for (const accept of waiting) accept();
  }

  async stop() {
    proxies.delete(this);
    this.cut();
    this.sockets.close();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** @param {WebSocket} client @param {string} path */
  #join(client, path) {
    const server = new WebSocket(this.target() + path);
    /** @type {[any, boolean][]} */
    const early = [];
    this.#carry(client, server, 'up', early);
    this.#carry(server, client, 'down', []);
    server.once('open', () => {
      for (const [data, binary] of early.splice(0)) server.send(data, { binary });
    });
  }

  /** @param {WebSocket} from @param {WebSocket} to @param {Direction} direction @param {[any, boolean][]} early */
  #carry(from, to, direction, early) {
    this.open.add(from);
    from.on('message', (data, binary) => {
      if (this.#isLost(direction, data)) return;
      if (to.readyState === WebSocket.CONNECTING) early.push([data, binary]);
      else if (to.readyState === WebSocket.OPEN) to.send(data, { binary });
    });
    from.on('error', () => {}); // `close` follows.
    from.once('close', () => {
      this.open.delete(from);
      to.terminate();
    });
  }

  /** @param {Direction} direction @param {any} data */
  #isLost(direction, data) {
    if (!this.loses) return false;
    const frame = JSON.parse(data.toString('utf8'));
    if (!this.loses({ direction, frame })) return false;
    this.loses = undefined;
    this.lost.add({ direction, frame });
    return true;
  }
}

/** @type {Set<Proxy>} */
const proxies = new Set();

/** @param {import('./server.js').Server} server */
export function startProxy(server) {
  return new Proxy(() => server.socketUrl).start();
}

export async function stopProxies() {
  await Promise.all([...proxies].map((proxy) => proxy.stop()));
}
