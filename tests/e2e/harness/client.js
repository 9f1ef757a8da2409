/** Clients: an unmodified client package in a process of its own, steered from the test. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DEADLINE_MS, Journal } from './journal.js';

/** The packages under test, by the short names that the tests use. */
export const SDKS = /** @type {const} */ (['chat', 'tim']);

/** Those with friends: the older package has them in a file of its own. */
export const FRIENDSHIP_SDKS = /** @type {const} */ (['chat', 'tim-friendship']);

/** @typedef {'chat' | 'tim' | 'tim-friendship'} Sdk */
/** @typedef {{direction: 'in' | 'out' | 'open' | 'close', binary?: boolean, compressed?: boolean, frame?: any, url?: string, code?: number}} Frame */

/**
 * A package refuses calls (2996) when it has asked for groups more often in a second than it allows itself, and it also
 * asks by itself. Calls that need one of these requests wait for their turn, with some left for the package.
 */
const LOOK_UP = /^(million_)?group_open_http_svc\.get_group_self_member_info$/;
const LOOKING_UP = new Set(['createGroup', 'joinGroup', 'getGroupProfile', 'updateGroupProfile', 'changeGroupOwner']);
const LOOK_UPS_A_SECOND = { chat: 4, tim: 16, 'tim-friendship': 16 };

const SDK_PROCESS = fileURLToPath(new URL('./sdk-process.js', import.meta.url));

/** The package's name for the conversation with a user or in a group. @param {string | {group: string}} other */
export function conversationID(other) {
  return typeof other === 'string' ? `C2C${other}` : `GROUP${other.group}`;
}

/** An error that the client package reported. */
export class SdkError extends Error {
  /** @param {{code?: number, message: string, stack?: string, data?: any}} reported */
  constructor({ code, message, stack, data }) {
    super(`${code}: ${message}`);
    this.code = code;
    this.data = data;
    this.sdkStack = stack;
  }
}

/** @type {Set<Client>} */
const running = new Set();

export class Client {
  /**
   * @param {{sdk: Sdk, url: string, sdkAppId: number, user: string, createOptions?: object, logLevel?: number}} options
   */
  constructor({ sdk, url, sdkAppId, user, createOptions, logLevel }) {
    this.sdk = sdk;
    this.user = user;
    this.label = `${sdk} client ${user}`;
    /** @type {Journal<{name: string, data: any}>} Every event of the package. */
    this.events = new Journal(`events of ${this.label}`);
    /** @type {Journal<any>} Every message that came with MESSAGE_RECEIVED, one entry each. */
    this.received = new Journal(`messages of ${this.label}`);
    /** @type {Journal<Frame>} Every frame on the socket, both ways, and when sockets opened and closed. */
    this.frames = new Journal(`frames of ${this.label}`);
    /** @type {{code?: number, message: string}[]} What a browser's console would show as uncaught. */
    this.uncaught = [];
    /** @type {string[]} Requests that did not use the socket; must stay empty. */
    this.strayRequests = [];
    /** When it asked for groups. @type {number[]} */
    this.lookUps = [];
    this.output = '';
    /** Why there is no use in going on. @type {string | undefined} */
    this.abandonedFor = undefined;
    this.createRequest = { sdk, options: { SDKAppID: sdkAppId, proxyServer: url, ...createOptions }, logLevel };
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    this.unanswered = new Map();
    this.lastRequest = 0;
    this.process = fork(SDK_PROCESS, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.process.stdout?.on('data', (text) => (this.output += text));
    this.process.stderr?.on('data', (text) => (this.output += text));
    this.process.on('message', (/** @type {any} */ message) => this.#hear(message));
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.once('exit', () => this.#lost());
    running.add(this);
  }

  /** @param {any} message */
  #hear(message) {
    switch (message.kind) {
      case 'event':
        if (message.name === 'onMessageReceived') for (const item of message.data) this.received.add(item);
        this.events.add({ name: message.name, data: message.data });
        break;
      case 'frame': {
        const { kind, ...frame } = message;
        if (frame.direction === 'out' && LOOK_UP.test(frame.frame.head.servcmd)) this.lookUps.push(performance.now());
        this.frames.add(frame);
        break;
      }
      case 'answer': {
        const waiting = this.unanswered.get(message.id);
        this.unanswered.delete(message.id);
        if (message.error) waiting?.reject(new SdkError(message.error));
        else waiting?.resolve(message.value);
        break;
      }
      case 'rejection':
      case 'exception':
        this.uncaught.push(message);
        break;
      case 'stray-request':
        this.strayRequests.push(message.request);
        break;
    }
  }

  #lost() {
    running.delete(this);
    const why = this.abandonedFor ?? `its output:\n${this.output.slice(-2000)}`;
    const reason = new Error(`${this.label} has ended: ${why}`);
    for (const { reject } of this.unanswered.values()) reject(reason);
    this.unanswered.clear();
    for (const journal of [this.events, this.received, this.frames]) journal.end(reason);
  }

  /**
   * @param {string} operation
   * @param {object} [request]
   * @returns {Promise<any>}
   */
  #ask(operation, request) {
    this.lastRequest += 1;
    const id = this.lastRequest;
    return new Promise((resolve, reject) => {
      this.unanswered.set(id, { resolve, reject });
      this.process.send({ id, operation, ...request });
    });
  }

  /** Creates the package's instance, which opens the socket. */
  async create() {
    await this.#ask('create', this.createRequest);
  }

  /**
   * Calls a method of the package; `{$message: ID}` among the arguments stands for a message it has shown before.
   *
   * @param {string} method
   * @param {...any} args
   * @returns {Promise<any>} What the method's promise resolved to; for most methods `{code: 0, data}`.
   */
  async call(method, ...args) {
    if (LOOKING_UP.has(method)) await this.#turnToLookUp();
    return this.#ask('call', { method, args });
  }

  async #turnToLookUp() {
    for (;;) {
      const [oldest] = this.lookUps.slice(-LOOK_UPS_A_SECOND[this.sdk]);
      const left = oldest === undefined ? 0 : oldest + 1_050 - performance.now();
      if (this.lookUps.length < LOOK_UPS_A_SECOND[this.sdk] || left <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, left));
    }
  }

  /** Logs in and waits until the package says that it is ready. @param {{userID: string, userSig: string}} identity */
  async login({ userID, userSig }) {
    const answer = await this.call('login', { userID, userSig });
    this.user = userID;
    await this.next('sdkStateReady');
    return answer;
  }

  /**
   * Waits until the conversations, relations and offline messages that follow a login have been asked for and answered.
   * What the client is told after this counts from a settled state.
   */
  async settled() {
    await this.reply('recentcontact.page_get');
    await this.reply('openim.getmsg');
    return this;
  }

  /**
   * Creates a message of the given kind and sends it.
   *
   * @param {string} kind As in `create…Message`: `Text`, `Custom`, `Face`, `Location`, `Forward`, …
   * @param {string} to
   * @param {any} payload
   * @param {{message?: object, options?: object}} [more] Further fields for the message and options for sending.
   * @returns {Promise<any>} The sent message.
   */
  async send(kind, to, payload, { message, options } = {}) {
    const answer = await this.#ask('send', {
      kind,
      message: { to, conversationType: 'C2C', payload, ...message },
      options,
    });
    return answer.data.message;
  }

  /** @param {string} to @param {string} text @param {{message?: object, options?: object}} [more] */
  sendText(to, text, more) {
    return this.send('Text', to, { text }, more);
  }

  /**
   * Modifies a message that the client has shown.
   *
   * @param {{ID: string}} message
   * @param {{payload?: object, cloudCustomData?: string}} changes
   * @returns {Promise<any>} The message as the package shows it then.
   */
  async modify({ ID }, changes) {
    const answer = await this.#ask('modify', { message: ID, ...changes });
    return answer.data.message;
  }

  /**
   * The next event of that name that `predicate` accepts and that no earlier call got.
   *
   * @param {string} name The event's name on the wire of the package, for example `onMessageReceived`.
   * @param {(data: any) => boolean} [predicate]
   * @param {{deadlineMs?: number}} [options]
   * @returns {Promise<any>} The event's data.
   */
  async next(name, predicate = () => true, options) {
    const event = await this.events.next((entry) => entry.name === name && predicate(entry.data), {
      what: name,
      ...options,
    });
    return event.data;
  }

  /**
   * The next received message that `predicate` accepts and that no earlier call got.
   *
   * @param {string | ((message: any) => boolean)} wanted The text of a text message, or a predicate.
   * @returns {Promise<any>}
   */
  message(wanted) {
    const accepts = typeof wanted === 'string' ? (/** @type {any} */ m) => m.payload?.text === wanted : wanted;
    return this.received.next(accepts, { what: `message ${wanted}` });
  }

  /** How many received text messages had exactly this text. @param {string} text */
  timesReceived(text) {
    return this.received.entries.filter((message) => message.payload?.text === text).length;
  }

  /**
   * The next request of that command that the package sends.
   *
   * @param {string} command `service.command`
   * @param {(body: any) => boolean} [predicate]
   * @returns {Promise<any>} The whole frame.
   */
  async request(command, predicate = () => true) {
    const { frame } = await this.frames.next(
      ({ direction, frame }) => direction === 'out' && frame.head.servcmd === command && predicate(frame.body),
      { what: `request ${command}` },
    );
    return frame;
  }

  /**
   * The next frame of that command that the server sends: a reply, or a push when `command` is a push's name.
   *
   * @param {string} command
   * @param {(body: any) => boolean} [predicate]
   * @returns {Promise<any>} The whole frame.
   */
  async reply(command, predicate = () => true) {
    const { frame } = await this.frames.next(
      ({ direction, frame }) => direction === 'in' && frame.head.servcmd === command && predicate(frame.body),
      { what: `frame ${command}` },
    );
    return frame;
  }

  /**
   * The conversation with a user, or `{group}`, as the package shows it now, or `undefined`.
   *
   * @param {string | {group: string}} other
   */
  async conversation(other) {
    const id = conversationID(other);
    const { data } = await this.call('getConversationList');
    return data.conversationList.find((/** @type {any} */ item) => item.conversationID === id);
  }

  /**
   * Waits until the conversation is as `predicate` wants it, looking again at each change of the list.
   *
   * @param {string | {group: string}} other As for `conversation`.
   * @param {(conversation: any) => boolean} predicate Sees `undefined` while there is no such conversation.
   * @returns {Promise<any>}
   */
  async conversationWhere(other, predicate) {
    const changes = () => this.events.entries.filter(({ name }) => name === 'onConversationListUpdated').length;
    for (;;) {
      const seen = changes();
      const conversation = await this.conversation(other);
      if (predicate(conversation)) return conversation;
      await this.events
        .atLeast(seen + 1, ({ name }) => name === 'onConversationListUpdated')
        .catch((error) => {
          throw new Error(
            `conversation ${conversationID(other)} stayed ${JSON.stringify(conversation)}: ${error.message}`,
          );
        });
    }
  }

  /** Drops the connection without a word, as a dying network does. */
  async cutSocket() {
    await this.#ask('cutSocket');
  }

  /** Ends the client because nothing can come any more, so that whoever waits for it hears that at once. @param {string} why */
  abandon(why) {
    this.abandonedFor = why;
    this.process.kill('SIGKILL');
  }

  /** Ends the client's process: to the server, the network died. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.exited;
  }
}

/** @param {ConstructorParameters<typeof Client>[0]} options */
export async function openClient(options) {
  const client = new Client(options);
  await client.create();
  return client;
}

/** Ends all clients that are still running. For `after` hooks. */
export async function stopClients() {
  await Promise.all([...running].map((client) => client.kill()));
}

export { DEADLINE_MS };
