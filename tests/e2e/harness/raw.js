/** A bare WebSocket that speaks frames: for fields that the packages hide and for the server's other face. */
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { decodeFrame } from './frame.js';
import { Journal } from './journal.js';
import { sign } from './signatures.js';

/** @typedef {import('./signatures.js').App} App */
/** @typedef {{binary: boolean, compressed: boolean, frame: any}} Received */

export class RawConnection {
  /** @param {WebSocket} socket @param {App} app */
  constructor(socket, app) {
    this.socket = socket;
    this.app = app;
    this.seq = randomBytes(3).readUIntBE(0, 3);
    /** What goes into the head of each request beside command and seq; `login` replaces it. @type {object} */
    this.credentials = { identifier: '', usersig: '' };
    /** @type {Journal<Received>} */
    this.frames = new Journal('raw connection');
    /** @type {Promise<{code: number}>} */
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve({ code })));
    socket.on('message', (data, binary) => this.frames.add({ binary, ...decodeFrame(/** @type {Buffer} */ (data)) }));
    socket.once('close', (code) => this.frames.end(new Error(`the connection was closed with ${code}`)));
    socket.on('error', () => {}); // `close` follows and ends the journal.
  }

  /**
   * @param {{url: string, face: 'binfo' | 'info', app: App, query?: Record<string, string>}} options
   * @returns {Promise<RawConnection>}
   */
  static async open({ url, face, app, query }) {
    const parameters = new URLSearchParams({
      sdkappid: String(app.id),
      instanceid: randomBytes(16).toString('hex'),
      random: String(Math.random()),
      platform: '7',
      host: 'linux',
      version: '-1',
      sdkversion: '3.6.6',
      ...query,
    });
    const socket = new WebSocket(`${url}/${face}?${parameters}`);
    const connection = new RawConnection(socket, app);
    connection.text = face === 'info';
    connection.platform = Number(parameters.get('platform'));
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return connection;
  }

  /** True on the face that carries text frames. */
  text = false;

  /** What kind of device it says it is: 7 is a browser. */
  platform = 7;

  /** Sends one request and does not wait. @param {string} command @param {object} [body] @param {object} [head] */
  post(command, body = {}, head = {}) {
    this.seq += 1;
    const frame = {
      head: {
        ver: 'v4',
        platform: this.platform,
        websdkappid: 537048168,
        websdkversion: '1.7.3',
        status_instid: 0,
        sdkappid: this.app.id,
        contenttype: 'json',
        reqtime: Math.floor(Date.now() / 1000),
        ...this.credentials,
        servcmd: command,
        seq: this.seq,
        ...head,
      },
      body,
    };
    const text = JSON.stringify(frame);
    this.socket.send(this.text ? text : Buffer.from(text));
    return frame.head.seq;
  }

  /**
   * Sends one request and waits for its reply.
   *
   * @param {string} command
   * @param {object} [body]
   * @param {object} [head]
   * @returns {Promise<any>} The reply's body.
   */
  async ask(command, body, head) {
    return (await this.exchange(command, body, head)).frame.body;
  }

  /** @param {string} command @param {object} [body] @param {object} [head] @returns {Promise<Received>} */
  async exchange(command, body, head) {
    const seq = this.post(command, body, head);
    return this.frames.next(({ frame }) => frame.head.servcmd === command && frame.head.seq === seq, {
      what: `reply to ${command}`,
    });
  }

  /** @param {string} user @param {string} [sig] @returns {Promise<any>} The reply's body. */
  async login(user, sig = sign(this.app, user)) {
    this.credentials = { identifier: user, usersig: sig };
    const reply = await this.ask('im_open_status.wslogin', {
      State: 'Online',
      is_web_uniapp: 0,
      InstType: 0,
      CustomInfo: '',
    });
    if (reply.ErrorCode === 0) {
      this.credentials = { a2: reply.A2Key, tinyid: reply.TinyId, status_instid: reply.InstId };
    }
    return reply;
  }

  /** The next push whose event `predicate` accepts. @param {(event: any) => boolean} predicate @returns {Promise<any>} */
  async pushed(predicate) {
    const { frame } = await this.frames.next(({ frame }) => (frame.body.EventArray ?? []).some(predicate), {
      what: 'push',
    });
    return frame.body.EventArray.find(predicate);
  }

  close() {
    this.socket.close();
    return this.closed;
  }

  terminate() {
    this.socket.terminate();
    return this.closed;
  }
}
