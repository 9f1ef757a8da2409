/** A client on a fake socket and a fake clock, and a server that is played by the test. */
import { ChatClient, type ClientEvents, type ClientOptions } from '../src/index.ts';
import type { Environment, SocketLike } from '../src/environment.ts';
import type { Fields } from '../src/wire/fields.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Lets everything happen that does not wait for a timer or a socket. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

/** Time that passes when the test says so. */
export class FakeClock {
  nowMs = 1_795_390_000_000;
  #timers = new Map<number, { at: number; run: () => void }>();
  #last = 0;

  set(run: () => void, delayMs: number): number {
    this.#last += 1;
    this.#timers.set(this.#last, { at: this.nowMs + delayMs, run });
    return this.#last;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  async advance(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      const [timer, { at, run }] = due;
      this.#timers.delete(timer);
      this.nowMs = at;
      run();
      await settle();
    }
    this.nowMs = end;
  }
}

/** A frame that the client has sent. */
export interface Sent {
  readonly head: { readonly servcmd: string; readonly seq: number } & Fields;
  readonly body: Fields;
}

export class FakeSocket implements SocketLike {
  binaryType = 'blob';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  /** What the client closed it with. */
  closedWith: number | undefined;
  readonly sent: Sent[] = [];
  readonly url: string;
  readonly #heard: (socket: FakeSocket, frame: Sent) => void;

  constructor(url: string, heard: (socket: FakeSocket, frame: Sent) => void) {
    this.url = url;
    this.#heard = heard;
  }

  send(data: Uint8Array): void {
    const frame = JSON.parse(decoder.decode(data)) as Sent;
    this.sent.push(frame);
    this.#heard(this, frame);
  }

  close(code?: number): void {
    this.closedWith = code;
  }

  /** The commands that were sent, in their order. */
  commands(): string[] {
    return this.sent.map(({ head }) => head.servcmd);
  }

  last(command: string): Sent {
    const found = this.sent.findLast(({ head }) => head.servcmd === command);
    if (!found) throw new Error(`no ${command} among ${this.commands().join(', ')}`);
    return found;
  }

  open(): void {
    this.onopen?.({} as never);
  }

  /** The server closes, or the network breaks. */
  lose(): void {
    this.onclose?.({} as never);
  }

  receive(bytes: Uint8Array): void {
    this.onmessage?.({ data: bytes.slice().buffer } as never);
  }

  deliver(command: string, seq: number, body: Fields): void {
    this.receive(encoder.encode(JSON.stringify({ head: { ver: 'v4', servcmd: command, seq }, body })));
  }

  reply(to: Sent, body: Fields): void {
    this.deliver(to.head.servcmd, to.head.seq, { ActionStatus: 'OK', ErrorCode: 0, ErrorInfo: '', ...body });
  }

  push(...events: Fields[]): void {
    this.deliver('im_open_push.msg_push', 1, { EventArray: events });
  }
}

/** What the server answers; undefined: nothing. */
type Answer = (request: Sent) => Fields | undefined;

/** Answers of a server that knows nothing but the user. */
const ANSWERS: Record<string, Answer> = {
  'im_open_status.wslogin': () => ({
    A2Key: 'token',
    TinyId: '144115200000000001',
    HelloInterval: 20,
    InstId: 7,
    TimeStamp: 1_795_390_000,
  }),
  'im_open_status.wslogout': () => ({}),
  'im_open_status.wshello': () => ({}),
  'heartbeat.alive': () => ({}),
  'recentcontact.page_get': () => ({ CompleteFlag: 1, SessionItem: [], TimeStamp: 1_795_390_000 }),
  'group_open_http_svc.get_joined_group_list': () => ({ TotalCount: 0, GroupIdList: [] }),
  'openim.getmsg': () => ({ SyncFlag: 2, Cookie: '0-1', MsgList: [] }),
};

export class Harness {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  /** By command; those that are not here are never answered. */
  readonly answers: Record<string, Answer> = { ...ANSWERS };
  readonly client: ChatClient;
  readonly events: { [Name in keyof ClientEvents]: ClientEvents[Name][] } = {
    state: [],
    message: [],
    tip: [],
    notice: [],
    conversations: [],
    read: [],
    gap: [],
    kicked: [],
  };
  /** The client's chance, from 0 to below 1. */
  chance = 0.5;
  /** Sockets open by themselves. */
  opens = true;
  wakeUp: () => void = () => {};

  constructor(options: Partial<ClientOptions> = {}, environment: Partial<Environment> = {}) {
    this.client = new ChatClient({
      sdkAppId: 1_400_000_000,
      url: 'ws://server',
      ...options,
      environment: {
        now: () => this.clock.nowMs,
        setTimer: (run, delayMs) => this.clock.set(run, delayMs),
        clearTimer: (timer) => this.clock.clear(timer),
        random: () => this.chance,
        openSocket: (url) => this.#openSocket(url),
        onOnline: (run) => {
          this.wakeUp = run;
          return () => {};
        },
        ...environment,
      },
    });
    for (const name of Object.keys(this.events) as (keyof ClientEvents)[]) {
      this.client.on(name, (event) => void (this.events[name] as unknown[]).push(event));
    }
  }

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  }

  async login(userId = 'alice'): Promise<void> {
    const login = this.client.login(userId, 'signature');
    await settle();
    await login;
  }

  /** Breaks the connection and waits until the client is back. */
  async reconnect(): Promise<void> {
    this.socket.lose();
    await this.clock.advance(60_000);
  }

  #openSocket(url: string): FakeSocket {
    const socket = new FakeSocket(url, (own, frame) => {
      const body = this.answers[frame.head.servcmd]?.(frame);
      if (body) queueMicrotask(() => own.reply(frame, body));
    });
    this.sockets.push(socket);
    if (this.opens) queueMicrotask(() => socket.open());
    return socket;
  }
}

/** A one-to-one message as the server pushes it. */
export function c2c(from: string, to: string, content: string, fields: Fields = {}): Fields {
  return {
    From_Account: from,
    To_Account: to,
    MsgSeq: 1,
    MsgRandom: [...content].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)!) % 1e8, 7),
    MsgTimeStamp: 1_795_390_001,
    MsgClientTime: 1_795_390_001,
    TinyId: '144115200000000002',
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: content } }],
    ...fields,
  };
}

/** A message of a group, or with `type` of a room, as the server pushes it. */
export function groupMessage(groupId: string, seq: number, content: string, type = 'Public', from = 'bob'): Fields {
  return {
    From_Account: from,
    ToGroupId: groupId,
    GroupId: groupId,
    MsgSeq: seq,
    MsgRandom: 1000 + seq,
    MsgTimeStamp: 1_795_390_000 + seq,
    MsgClientTime: 1_795_390_000 + seq,
    TinyId: '144115200000000002',
    MsgPriority: 'Normal',
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: content } }],
    OnlineOnlyFlag: 0,
    IsPlaceMsg: 0,
    GroupInfo: { GroupId: groupId, GroupName: 'tea', GroupType: type },
  };
}

export function c2cEvent(...messages: Fields[]): Fields {
  return { Event: 1, C2cMsgArray: messages };
}

export function groupEvent(...messages: Fields[]): Fields {
  return { Event: 3, GroupMsgArray: messages };
}
