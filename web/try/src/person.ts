/** One of the users of this page: a client, and what it shows. */
import {
  ChatClient,
  ChatError,
  group,
  text,
  user,
  type ConnectionState,
  type Entry,
  type Message,
  type StoredConversationId,
} from '@teahouse/chat';
import { socketUrl, type User } from './api.ts';
import * as stopwatch from './stopwatch.ts';
import { Store } from './store.ts';

/** The two conversations of a person: with the other one, and in the group of both. */
export type Place = 'direct' | 'group';

/** A message or tip as a person sees it. */
export interface Line {
  readonly entry: Entry;
  /** Of an own message. */
  status?: 'sending' | 'stored' | 'read' | 'failed';
  /** Own: until the server had stored it. Others': until it arrived. Absent if this page does not know. */
  tookMs?: number;
  /** This page did not send it as one of its users: a backend did. */
  isFromBackend?: boolean;
  /** Why it failed. */
  problem?: string;
}

/** For the stopwatch: the call that this page makes as a backend, which learns the id of its message never. */
export const BACKEND_CALL = 'backend';

const LINES_MAX = 100;

export class Person extends Store {
  readonly name: string;
  readonly userId: string;
  /** The other one. */
  peerId = '';
  groupId = '';
  readonly lines: Record<Place, Line[]> = { direct: [], group: [] };
  /** Why the last login failed; empty if it did not. */
  problem = '';
  readonly client: ChatClient;
  readonly #userSig: string;
  /** Which conversation is being looked at, if any. */
  #looksAt: Place | undefined;

  constructor(name: string, { userId, userSig }: User, sdkAppId: number) {
    super();
    this.name = name;
    this.userId = userId;
    this.#userSig = userSig;
    this.client = new ChatClient({ sdkAppId, url: socketUrl() });
    this.client.on('state', () => this.changed());
    this.client.on('conversations', () => this.changed());
    this.client.on('message', (message) => this.#arrived(message));
    this.client.on('tip', (tip) => this.#add({ entry: tip }));
    this.client.on('read', ({ time }) => this.#readThrough(time));
    this.client.on('kicked', ({ reason }) => this.#fail(`The session was ended: ${reason}`));
  }

  get state(): ConnectionState {
    return this.client.state;
  }

  conversation(place: Place): StoredConversationId {
    return place === 'direct' ? user(this.peerId) : group(this.groupId);
  }

  unread(place: Place): number {
    return this.client.conversation(this.conversation(place))?.unread ?? 0;
  }

  async goOnline(): Promise<void> {
    this.problem = '';
    try {
      await this.client.login(this.userId, this.#userSig);
      await this.load('direct');
      if (this.groupId) await this.load('group');
    } catch (problem) {
      this.#fail(inWords(problem));
    }
    this.#markRead();
  }

  async goOffline(): Promise<void> {
    await this.client.logout();
    this.changed();
  }

  /** Takes the lines of a conversation from the server's history, and keeps what is known of them. */
  async load(place: Place): Promise<void> {
    const { entries } = await this.client.history(this.conversation(place), { limit: 20 });
    const known = new Map(this.lines[place].map((line) => [keyOf(line.entry), line]));
    const readThrough = this.client.conversation(this.conversation(place))?.peerReadTime ?? 0;
    this.lines[place] = entries.map((entry) => {
      const line = known.get(keyOf(entry)) ?? { entry };
      if (!this.#isOwn(entry)) return line;
      return { ...line, status: place === 'direct' && entry.time <= readThrough ? 'read' : 'stored' };
    });
    this.changed();
  }

  async say(place: Place, content: string): Promise<void> {
    const message = this.client.compose(this.conversation(place), text(content));
    const line: Line = { entry: message, status: 'sending' };
    this.#add(line);
    stopwatch.start(message.id);
    try {
      const sent = await this.client.send(message);
      const tookMs = stopwatch.elapsed(message.id) ?? 0;
      // The mark of the peer can be faster than the answer.
      const status = line.status === 'read' ? 'read' : 'stored';
      this.#replace(place, line, { entry: sent, status, tookMs });
    } catch (problem) {
      this.#replace(place, line, { entry: message, status: 'failed', problem: inWords(problem) });
    }
  }

  /** Somebody looks at a conversation of this person, or at none any more. */
  look(place: Place | undefined): void {
    this.#looksAt = place;
    this.#markRead();
  }

  #arrived(message: Message): void {
    const isFromBackend = !stopwatch.isOurs(message.id);
    if (this.#isOwn(message)) {
      this.#add({ entry: message, isFromBackend, status: 'stored' });
    } else {
      const tookMs = isFromBackend ? stopwatch.take(BACKEND_CALL) : stopwatch.elapsed(message.id);
      this.#add({ entry: message, isFromBackend, ...(tookMs !== undefined && { tookMs }) });
    }
    this.#markRead();
  }

  #markRead(): void {
    if (!this.#looksAt || this.state === 'offline') return;
    // Without a connection it is repeated by the package; when that fails too, the next look does it.
    this.client.markRead(this.conversation(this.#looksAt)).catch(() => {});
  }

  /** Everything that is there now was read; what is sent in the same second was not. */
  #readThrough(time: number): void {
    for (const line of this.lines.direct) {
      if (this.#isOwn(line.entry) && line.status !== 'failed' && line.entry.time <= time) line.status = 'read';
    }
    this.changed();
  }

  #isOwn(entry: Entry): boolean {
    return entry.kind === 'message' && entry.from === this.userId;
  }

  #add(line: Line): void {
    const { conversation } = line.entry;
    const place = (['direct', 'group'] as const).find((candidate) => this.conversation(candidate) === conversation);
    if (!place) return;
    this.lines[place] = [...this.lines[place], line].slice(-LINES_MAX);
    this.changed();
  }

  #replace(place: Place, old: Line, line: Line): void {
    this.lines[place] = this.lines[place].map((candidate) => (candidate === old ? line : candidate));
    this.changed();
  }

  #fail(problem: string): void {
    this.problem = problem;
    this.changed();
  }
}

export function keyOf(entry: Entry): string {
  return entry.kind === 'message' ? entry.id : `tip ${entry.seq} ${entry.time} ${entry.what}`;
}

export function inWords(problem: unknown): string {
  return problem instanceof ChatError ? `${problem.message} (${problem.code})` : String(problem);
}
