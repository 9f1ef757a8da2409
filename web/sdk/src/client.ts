/** The client: puts the parts together and is what applications see. */
import { Connection } from './connection.ts';
import { group, parts, user, type ConversationId, type StoredConversationId } from './conversation-id.ts';
import { Conversations, type Conversation } from './conversations.ts';
import { Emitter } from './emitter.ts';
import { systemEnvironment, type Environment, type SocketConstructor } from './environment.ts';
import { ChatError, LocalCode } from './errors.ts';
import { groupCommand, Groups } from './groups.ts';
import { Inbox } from './inbox.ts';
import {
  messageId,
  readC2c,
  readGroup,
  writeElements,
  type Element,
  type Entry,
  type GroupArrival,
  type Message,
  type Priority,
  type Tip,
} from './messages.ts';
import { endsMembership, type GroupNotice, type KickReason } from './notices.ts';
import { readPush } from './pushes.ts';
import { Rooms } from './rooms.ts';
import { Session, type ConnectionState } from './session.ts';
import { Sync } from './sync.ts';
import { readNumber, readObjects, readText, type Fields } from './wire/fields.ts';
import type { Frame } from './wire/frame.ts';

/** Of this package; the server is told. */
export const VERSION = '0.1.0';

/** How a client is set up. */
export interface ClientOptions {
  /** The app, 1 to 4294967295. */
  readonly sdkAppId: number;
  /** Where the server is: `ws://host:port` or `wss://host`, with a path prefix if there is one. */
  readonly url: string;
  /** Needed where there is no global `WebSocket`, as in Node 20: the class of the `ws` package will do. */
  readonly WebSocket?: SocketConstructor;
  /** How long a request may take in all, over reconnects, in milliseconds. Default 30000. */
  readonly requestTimeoutMs?: number;
  /** How long a login may take in all, in milliseconds. Default 30000. */
  readonly loginTimeoutMs?: number;
  /** Most requests that wait for their answer. Default 256. */
  readonly requestsMax?: number;
  /** Replaces clock, timers, chance and sockets: for tests. */
  readonly environment?: Environment;
}

/** What a client tells: see {@link ChatClient.on}. */
export interface ClientEvents {
  state: ConnectionState;
  /**
   * A message from somebody else, or of this user's from another device. Once for each message, in groups in the order of the
   * group, and also for what was missed while the connection was away. What waited at the first login is no news: the
   * conversation list counts it.
   */
  message: Message;
  /** Something happened in a group or room. */
  tip: Tip;
  /** Something about a group that concerns this user in particular. */
  notice: GroupNotice;
  /** The conversation list has changed. At most once for all changes of one turn. */
  conversations: readonly Conversation[];
  /** The peer has read everything up to `time`, unix seconds. */
  read: { readonly conversation: StoredConversationId; readonly time: number };
  /**
   * Messages were missed and are not told as events: too many while away (then `history` has them), or in a live room (then
   * they are lost). `missed` is 0 if their number is not known.
   */
  gap: { readonly conversation: ConversationId; readonly missed: number };
  /** The session has ended without a logout. Nothing reconnects by itself any more. */
  kicked: { readonly reason: KickReason };
}

/** What a message is made of beside its elements. */
export interface ComposeOptions {
  /** Text that goes along with the message and is not shown. Together with the elements at most 12 KiB. */
  readonly customData?: string;
  /** In groups and rooms. Default `Normal`. */
  readonly priority?: Priority;
  /** For connected devices only: not stored, not counted as unread. */
  readonly onlineOnly?: boolean;
}

/** Where a page of history ends; opaque. */
export type HistoryCursor = string & { readonly __brand: 'HistoryCursor' };

export interface HistoryPage {
  /** Oldest first. Recalled messages are left out. */
  readonly entries: readonly Entry[];
  /** For the next older page; absent when there is none. */
  readonly older?: HistoryCursor;
}

/** Most entries of a page of history. */
export const HISTORY_PAGE_MAX = 20;

/**
 * A client of one user at a time.
 *
 * ```ts
 * const chat = new ChatClient({ sdkAppId: 1400000000, url: 'ws://127.0.0.1:8080' });
 * chat.on('message', (message) => console.log(message.from, plainText(message)));
 * await chat.login('alice', userSig);
 * await chat.send(chat.compose(user('bob'), text('lunch?')));
 * ```
 *
 * Requests that are made while the connection is away wait for it, and are sent again when their answer was lost: the server
 * recognises the repetition. All methods that ask the server reject with {@link ChatError}.
 */
export class ChatClient {
  /** Groups: create, join, invite, and so on. */
  readonly groups: Groups;
  /** Live rooms. */
  readonly rooms: Rooms;

  readonly #environment: Environment;
  readonly #options: ClientOptions;
  readonly #instanceId: string;
  readonly #events = new Emitter<ClientEvents>();
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #conversations: Conversations;
  readonly #inbox: Inbox;
  readonly #sync: Sync;
  #isListTold = true;
  /** `MsgSeq` of one-to-one messages: together with the random number it makes a message its own. */
  #messageSeq: number;

  constructor(options: ClientOptions) {
    const environment = options.environment ?? systemEnvironment(options.WebSocket);
    const hexDigit = () => Math.floor(environment.random() * 16).toString(16);
    this.#environment = environment;
    this.#options = options;
    this.#instanceId = Array.from({ length: 32 }, hexDigit).join('');
    this.#messageSeq = Math.floor(environment.random() * 2 ** 31);
    const { requestsMax = 256, requestTimeoutMs = 30_000, loginTimeoutMs = 30_000 } = options;
    this.#connection = new Connection(
      environment,
      {
        url: () => this.#url(),
        head: () => this.#head(),
        opened: () => void this.#session.authenticate(),
        lost: () => this.#session.lost(),
        pushed: (frame) => this.#pushed(frame),
        refused: (code, body) => this.#session.refused(code, body),
      },
      { requestsMax, requestTimeoutMs },
    );
    this.#session = new Session(
      environment,
      this.#connection,
      {
        stateChanged: (state) => this.#events.emit('state', state),
        ready: () => this.#ready(),
        kicked: (reason) => this.#events.emit('kicked', { reason }),
        ended: () => this.#forget(),
      },
      loginTimeoutMs,
    );
    const self = () => this.#session.self.userId;
    const gap = (conversation: ConversationId, missed: number) => this.#events.emit('gap', { conversation, missed });
    this.#conversations = new Conversations(() => this.#listChanged());
    this.#inbox = new Inbox(this.#conversations, {
      self,
      message: (message) => this.#events.emit('message', message),
      tip: (tip) => this.#events.emit('tip', tip),
      gap,
      fetchGroup: (groupId, from, through) => this.#fetchGroup(groupId, from, through),
    });
    this.#sync = new Sync(this.#connection, this.#conversations, this.#inbox, {
      self,
      events: (body) => this.#take(body),
      gap,
    });
    this.groups = new Groups(this.#connection, this.#inbox, self);
    this.rooms = new Rooms(this.#connection, self);
  }

  /** Whether somebody is logged in and connected. */
  get state(): ConnectionState {
    return this.#session.state;
  }

  /** User id of who is logged in; undefined when nobody is. */
  get userId(): string | undefined {
    return this.#session.isLoggedIn ? this.#session.self.userId : undefined;
  }

  /** The conversation list: pinned ones first, then the newest first. At most 2000. */
  get conversations(): readonly Conversation[] {
    return this.#conversations.list();
  }

  /** One conversation; undefined if it is not in the list. */
  conversation(id: StoredConversationId): Conversation | undefined {
    return this.#conversations.get(id);
  }

  /**
   * Adds a listener. Returns a function that removes it. What a listener throws surfaces as an uncaught error and does not
   * disturb the client.
   */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Logs a user in. Resolves when the conversation list is there; a lost connection meanwhile is tried again.
   *
   * @param userSig Made by the app's backend with the app's secret.
   * @throws {ChatError} The server's code (70001 expired, 70009 wrong key, …), `Timeout`, `AlreadyLoggedIn`, or `BadArgument`
   *   when the address is none. Nobody is logged in then.
   */
  login(userId: string, userSig: string): Promise<void> {
    if (!userId || !userSig) {
      return Promise.reject(new ChatError(LocalCode.BadArgument, 'userId and userSig are needed'));
    }
    return this.#session.login(userId, userSig);
  }

  /** Logs out and disconnects. Never rejects; requests that wait do, with `NotLoggedIn`. */
  logout(): Promise<void> {
    return this.#session.logout();
  }

  /**
   * Makes a message without sending it: with its id, so that it can be shown at once.
   *
   * @throws {ChatError} `NotLoggedIn`, or `BadArgument` without elements.
   */
  compose(
    conversation: ConversationId,
    elements: Element | readonly Element[],
    { customData = '', priority = 'Normal', onlineOnly = false }: ComposeOptions = {},
  ): Message {
    const { userId, tinyId } = this.#session.self;
    const list = 'type' in elements ? [elements] : [...elements];
    if (list.length === 0) throw new ChatError(LocalCode.BadArgument, 'a message needs an element');
    const clientTime = this.#session.serverSeconds();
    const random = Math.floor(this.#environment.random() * 100_000_000);
    this.#messageSeq = (this.#messageSeq + 1) % 2 ** 32;
    return {
      kind: 'message',
      id: messageId(tinyId, clientTime, random),
      conversation,
      from: userId,
      fromNick: '',
      elements: list,
      customData,
      time: 0,
      clientTime,
      seq: parts(conversation).kind === 'user' ? this.#messageSeq : 0,
      random,
      priority,
      onlineOnly,
    };
  }

  /**
   * Sends a message that {@link compose} made. Resolves when the server has stored it, with its time, and in groups and rooms
   * its place.
   *
   * After `Timeout` it is not known whether it was stored. Sending the same message again is safe: within the server's
   * duplicate window (120 s unless the app's settings differ) it is stored and delivered once.
   *
   * @throws {ChatError} The server's code (10017 muted, 80002 too long, …), `Timeout`, `TooManyRequests`, `NotLoggedIn`.
   */
  async send(message: Message): Promise<Message> {
    if (message.from !== this.#session.self.userId) {
      throw new ChatError(LocalCode.BadArgument, `a message of ${message.from} cannot be sent by somebody else`);
    }
    this.#inbox.sending(message);
    const { kind, target } = parts(message.conversation);
    const answer = await (kind === 'user' ? this.#sendToUser(target, message) : this.#sendToGroup(target, message));
    const seq = kind === 'user' ? message.seq : readNumber(answer, 'MsgSeq');
    const sent = { ...message, time: readNumber(answer, 'MsgTime'), seq };
    this.#inbox.sent(sent);
    return sent;
  }

  /**
   * One page of a conversation, the newest one without `before`.
   *
   * @param options.limit 1 to 20, default 15.
   */
  async history(
    conversation: StoredConversationId,
    { before, limit = 15 }: { before?: HistoryCursor; limit?: number } = {},
  ): Promise<HistoryPage> {
    const count = Math.min(Math.max(Math.floor(limit), 1), HISTORY_PAGE_MAX);
    const { kind, target } = parts(conversation);
    return kind === 'user' ? this.#userHistory(target, before, count) : this.#groupHistory(target, before, count);
  }

  /** Marks everything in a conversation as read, in the list at once. Does nothing if nothing is unread. */
  async markRead(conversation: StoredConversationId): Promise<void> {
    const known = this.#conversations.get(conversation);
    if (!known?.last || known.unread === 0) return;
    const { kind, target } = parts(conversation);
    const { time, seq } = known.last;
    // At once: what arrives from now on is unread again, whenever the answer comes.
    this.#conversations.applyOwnRead(conversation, { time, seq });
    if (kind === 'user') {
      const item = { To_Account: target, LastedMsgTime: time, Receipt: 1 };
      await this.#connection.request('openim.msgreaded', { C2CMsgReaded: { Cookie: '', C2CMsgReadedItem: [item] } });
    } else {
      const body = { GroupId: target, MsgReadedSeq: seq };
      await this.#connection.request(groupCommand(target, 'msg_read_report'), body);
    }
  }

  #url(): string {
    const { sdkAppId, url } = this.#options;
    const query = new URLSearchParams({
      sdkappid: String(sdkAppId),
      instanceid: this.#instanceId,
      random: String(this.#environment.random()),
      platform: '7',
      host: 'unknown',
      version: '-1',
      sdkversion: VERSION,
      ...(this.#environment.inflate && { compress: 'gzip' }),
    });
    return `${url.replace(/\/+$/, '')}/binfo?${query}`;
  }

  #head(): Fields {
    return {
      ver: 'v4',
      platform: 7,
      sdkappid: this.#options.sdkAppId,
      contenttype: 'json',
      reqtime: Math.floor(this.#environment.now() / 1000),
      ...this.#session.head(),
    };
  }

  async #ready(): Promise<void> {
    // Before the list, since what is said in the rooms meanwhile is lost.
    this.rooms.rejoin((groupId) => this.#events.emit('gap', { conversation: `room:${groupId}`, missed: 0 }));
    await this.#sync.run();
  }

  #pushed({ command, body }: Frame): void {
    if (command === 'StatSvc.KickOther') return void this.#session.authenticate();
    if (!this.#session.isLoggedIn) return;
    if (readNumber(body, 'NeedAck') === 1) {
      this.#connection.post('openim.ws_msg_push_ack', { SessionData: readText(body, 'SessionData') });
    }
    this.#take(body);
    // What it brings comes with the next catching up, if not now.
    if (readNumber(body, 'Flag') === 1) this.#sync.more().catch(() => {});
  }

  #take(body: Fields): void {
    for (const event of readPush(body, this.#session.self.userId)) {
      switch (event.type) {
        case 'c2c':
          this.#inbox.c2c(event.arrival);
          break;
        case 'group':
          this.#inbox.group(event.arrival);
          break;
        case 'notice':
          if (endsMembership(event.notice)) {
            this.#inbox.forgetGroup(event.notice.groupId);
            this.rooms.forget(event.notice.groupId);
          }
          this.#events.emit('notice', event.notice);
          break;
        case 'readByPeer':
          if (this.#conversations.applyPeerRead(event.peer, event.time)) {
            this.#events.emit('read', { conversation: user(event.peer), time: event.time });
          }
          break;
        case 'readElsewhere':
          this.#conversations.applyOwnRead(user(event.peer), { time: event.time });
          break;
        case 'groupReadElsewhere':
          this.#conversations.applyOwnRead(group(event.groupId), { seq: event.seq });
          break;
        case 'deleted':
          this.#conversations.remove(event.conversation as StoredConversationId);
          break;
        case 'kicked':
          // Nobody is logged in any more: the rest of the push is nobody's.
          return this.#session.kick(event.reason);
      }
      // A listener may have logged out.
      if (!this.#session.isLoggedIn) return;
    }
  }

  #listChanged(): void {
    if (!this.#isListTold) return;
    this.#isListTold = false;
    queueMicrotask(() => {
      this.#isListTold = true;
      this.#events.emit('conversations', this.#conversations.list());
    });
  }

  #forget(): void {
    this.#sync.clear();
    this.#inbox.clear();
    this.#conversations.clear();
    this.rooms.clear();
  }

  #sendToUser(userId: string, message: Message): Promise<Fields> {
    return this.#connection.request('openim.sendmsg', {
      From_Account: message.from,
      To_Account: userId,
      MsgSeq: message.seq,
      MsgRandom: message.random,
      MsgBody: writeElements(message.elements),
      CloudCustomData: message.customData,
      MsgClientTime: message.clientTime,
      ...(message.onlineOnly && { MsgLifeTime: 0 }),
    });
  }

  #sendToGroup(groupId: string, message: Message): Promise<Fields> {
    return this.#connection.request(groupCommand(groupId, 'send_group_msg'), {
      From_Account: message.from,
      GroupId: groupId,
      Random: message.random,
      // Any number will do that is the same when the message is sent again.
      ClientSeq: message.random,
      MsgPriority: message.priority,
      MsgBody: writeElements(message.elements),
      CloudCustomData: message.customData,
      OnlineOnlyFlag: Number(message.onlineOnly),
      MsgClientTime: message.clientTime,
    });
  }

  async #userHistory(peer: string, before: HistoryCursor | undefined, count: number): Promise<HistoryPage> {
    const [time = '0', key = ''] = (before ?? '').split(' ');
    const answer = await this.#connection.request('openim.getroammsg', {
      Peer_Account: peer,
      MaxCnt: count,
      LastMsgTime: Number(time),
      MsgKey: key,
      WithRecalledMsg: 1,
      GetDirection: 0,
    });
    const self = this.#session.self.userId;
    const arrivals = readObjects(answer, 'MsgList').map((item) => readC2c(item, self));
    const entries = arrivals.filter(({ recalled }) => !recalled).map(({ message }) => message);
    if (readNumber(answer, 'Complete') === 1 || arrivals.length === 0) return { entries };
    const older = `${readNumber(answer, 'LastMsgTime')} ${readText(answer, 'MsgKey')}` as HistoryCursor;
    return { entries, older };
  }

  async #groupHistory(groupId: string, before: HistoryCursor | undefined, count: number): Promise<HistoryPage> {
    const newest = before ? Number(before) : this.#inbox.groupTold(groupId) || (await this.groups.get(groupId)).lastSeq;
    if (newest < 1) return { entries: [] };
    const { arrivals, next } = await this.#groupPage(groupId, newest, count);
    const entries = arrivals.filter(({ hole }) => !hole).map(({ entry }) => entry);
    return next < 1 ? { entries } : { entries, older: String(next) as HistoryCursor };
  }

  /** What there is at the places from `from` through `through`. */
  async #fetchGroup(groupId: string, from: number, through: number): Promise<GroupArrival[]> {
    const all: GroupArrival[] = [];
    for (let highest = through; highest >= from;) {
      const count = Math.min(highest - from + 1, HISTORY_PAGE_MAX);
      const { arrivals, next } = await this.#groupPage(groupId, highest, count);
      all.push(...arrivals.filter(({ seq }) => seq >= from && seq <= through));
      // Answers that do not get on are not asked for ever.
      highest = Math.min(next, highest - 1);
    }
    return all;
  }

  /** One page, oldest first, and where the next older one begins: below 1 if there is none. */
  async #groupPage(
    groupId: string,
    highest: number,
    count: number,
  ): Promise<{ arrivals: GroupArrival[]; next: number }> {
    const answer = await this.#connection.request(groupCommand(groupId, 'group_msg_get'), {
      GroupId: groupId,
      ReqMsgSeq: highest,
      ReqMsgNumber: count,
      WithRecalledMsg: 1,
    });
    const arrivals = readObjects(answer, 'RspMsgList')
      .map((item) => readGroup(item, groupId))
      .reverse();
    const isLast = readNumber(answer, 'IsFinished') === 2;
    return { arrivals, next: isLast ? 0 : readNumber(answer, 'NextReqMsgSeq') };
  }
}
