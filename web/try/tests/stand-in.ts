/**
 * Stands before a server that does not serve the page itself yet: the built page, what it asks under `/try/`, and everything
 * else handed on. Its room has real messages but invented figures.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { extname, join } from 'node:path';
import type { RoomReport, RoomWish, Users } from '../src/api.ts';
import type { Server } from '../../harness/server.ts';

const ADMIN = 'administrator';
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export class StandIn {
  readonly #http: HttpServer;
  readonly #server: Server;
  readonly #dist: string;
  readonly #isDev: boolean;
  readonly #sockets = new Set<Socket>();
  #room = { groupId: '', viewers: 0, messagesPerSecond: 0, offered: 0, delivered: 0 };

  private constructor(server: Server, dist: string, isDev: boolean) {
    this.#server = server;
    this.#dist = dist;
    this.#isDev = isDev;
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#http.on('upgrade', (request, socket: Socket) => this.#tunnel(request, socket));
    this.#http.on('connection', (socket) => this.#sockets.add(socket).size);
  }

  /** Resolves with where it is. */
  static async start(server: Server, dist: string, isDev: boolean): Promise<{ origin: string; stop(): void }> {
    const own = new StandIn(server, dist, isDev);
    await new Promise<void>((resolve) => own.#http.listen(0, '127.0.0.1', resolve));
    const address = own.#http.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const stop = () => {
      own.#http.close();
      for (const socket of own.#sockets) socket.destroy();
    };
    return { origin: `http://127.0.0.1:${address.port}`, stop };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const path = new URL(request.url ?? '/', 'http://stand-in').pathname;
    const json = (body: unknown) => response.end(JSON.stringify(body));
    if (path === '/try/info') {
      json({ dev: this.#isDev, version: '0.1.0', ...(this.#isDev && { sdkAppId: this.#server.sdkAppId }) });
    } else if (path === '/try/users') {
      json(this.#users(JSON.parse(text).userIds));
    } else if (path === '/try/room') {
      json(await this.#simulate(text ? JSON.parse(text) : undefined));
    } else if (path.startsWith('/v4/')) {
      const answer = await fetch(`http://${this.#server.address}${request.url}`, { method: 'POST', body: text });
      response.end(await answer.text());
    } else {
      await this.#file(path === '/' ? 'index.html' : path, response);
    }
  }

  async #file(name: string, response: ServerResponse): Promise<void> {
    try {
      const file = await readFile(join(this.#dist, name));
      response.setHeader('content-type', TYPES[extname(name)] ?? 'text/plain');
      response.setHeader('content-security-policy', POLICY);
      response.end(file);
    } catch {
      response.writeHead(404).end();
    }
  }

  #users(userIds: string[]): Users {
    const sign = (userId: string) => ({ userId, userSig: this.#server.sign(userId) });
    return { users: userIds.map(sign), admin: sign(ADMIN) };
  }

  async #simulate(wish: RoomWish | undefined): Promise<RoomReport> {
    if (wish && wish.groupId !== this.#room.groupId) {
      const group = { Type: 'AVChatRoom', Name: 'Show', GroupId: wish.groupId, Owner_Account: ADMIN };
      await this.#rest('group_open_http_svc/create_group', group);
      this.#room = { ...wish, offered: 0, delivered: 0 };
    }
    Object.assign(this.#room, wish);
    const { groupId, viewers, messagesPerSecond } = this.#room;
    // Asked once a second: so this is the chatter of a second.
    const said = viewers > 0 ? Array.from({ length: messagesPerSecond }, () => this.#say(groupId)) : [];
    await Promise.all(said);
    this.#room.offered += said.length;
    this.#room.delivered += said.length * viewers;
    const latencyMs = { p50: 1 + Math.random(), p99: 4 + Math.random() * 6 };
    return { ...this.#room, connected: viewers, dropped: 0, latencyMs };
  }

  #say(groupId: string): Promise<unknown> {
    const content = { MsgType: 'TIMTextElem', MsgContent: { Text: 'greetings from the stand-in' } };
    return this.#rest('group_open_http_svc/send_group_msg', {
      GroupId: groupId,
      Random: randomInt(2 ** 32 - 1),
      MsgBody: [content],
    });
  }

  async #rest(command: string, body: object): Promise<unknown> {
    const query = new URLSearchParams({
      sdkappid: String(this.#server.sdkAppId),
      identifier: ADMIN,
      usersig: this.#adminSig,
      random: '1',
      contenttype: 'json',
    });
    const url = `http://${this.#server.address}/v4/${command}?${query}`;
    return (await fetch(url, { method: 'POST', body: JSON.stringify(body) })).json();
  }

  get #adminSig(): string {
    return (this.#cachedSig ??= this.#server.sign(ADMIN));
  }
  #cachedSig: string | undefined;

  /** A WebSocket: the handshake is repeated to the server, and then bytes go to and fro. */
  #tunnel(request: IncomingMessage, socket: Socket): void {
    const [host, port] = this.#server.address.split(':');
    const upstream = connect(Number(port), host, () => {
      const headers = request.rawHeaders.map((part, index) => (index % 2 === 0 ? `${part}: ` : `${part}\r\n`));
      upstream.write(`GET ${request.url} HTTP/1.1\r\n${headers.join('')}\r\n`);
      socket.pipe(upstream).pipe(socket);
    });
    this.#sockets.add(upstream);
    // One end that breaks takes the other one along.
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  }
}
