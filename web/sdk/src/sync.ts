/**
 * Catching up, after a login and after every reconnect: the conversation list, the groups, and the messages that were missed.
 * Where everything is known already the server answers with what is new only; its cursors are kept from the last time that
 * all of it worked, so that what an interrupted catch-up had taken in is taken in again rather than lost.
 */
import type { Connection } from './connection.ts';
import { parts, type StoredConversationId } from './conversation-id.ts';
import type { Conversations, LastEntry } from './conversations.ts';
import type { Inbox } from './inbox.ts';
import { readC2c, type C2cArrival } from './messages.ts';
import { readNumber, readObjects, readText, type Fields } from './wire/fields.ts';

export interface SyncOwner {
  self(): string;
  /** Events that were missed, in the shape of a push. */
  events(body: Fields): void;
  gap(conversation: StoredConversationId, missed: number): void;
}

/** A server that never says that its list ends is not asked for ever. */
const PAGES_MAX = 100;
const GROUPS_A_PAGE = 200;
/** Where the server lists a conversation because too much is new in it: so much is fetched, the rest is a gap. */
const HISTORY_PAGES_MAX = 10;
const HISTORY_A_PAGE = 100;

const LIST_START: Fields = { TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0 };
const SYNC_DONE = 2;

export class Sync {
  readonly #connection: Connection;
  readonly #conversations: Conversations;
  readonly #inbox: Inbox;
  readonly #owner: SyncOwner;
  #cursor: Fields = LIST_START;
  #cookie = '';

  constructor(connection: Connection, conversations: Conversations, inbox: Inbox, owner: SyncOwner) {
    this.#connection = connection;
    this.#conversations = conversations;
    this.#inbox = inbox;
    this.#owner = owner;
  }

  /** @throws {ChatError} If the connection is lost or the server refuses; the next run begins where this one did. */
  async run(): Promise<void> {
    const isFirst = this.#cookie === '';
    const known = new Map(this.#conversations.list().map(({ id, last }) => [id, last] as const));
    const { listed, cursor } = await this.#pullList();
    await this.#pullGroups();
    const cookie = await this.#pullMessages(isFirst);
    for (const id of isFirst ? [] : listed) await this.#pullHistory(id, known.get(id));
    this.#cursor = cursor;
    this.#cookie = cookie;
  }

  /** The server has more than it pushed. */
  async more(): Promise<void> {
    if (this.#cookie !== '') this.#cookie = await this.#pullMessages(false, true);
  }

  /** Nobody is logged in any more. */
  clear(): void {
    this.#cursor = LIST_START;
    this.#cookie = '';
  }

  /** Only on this connection: with the next one everything is asked anew. */
  #ask(command: string, body: Fields): Promise<Fields> {
    return this.#connection.request(command, body, { repeats: false });
  }

  async #pullList(): Promise<{ listed: StoredConversationId[]; cursor: Fields }> {
    const listed: StoredConversationId[] = [];
    const flags = { OrderType: 1, MsgAssistFlags: 15, AssistFlags: 31 };
    let cursor = this.#cursor;
    for (let page = 0; page < PAGES_MAX; page++) {
      const request = { From_Account: this.#owner.self(), ...cursor, ...flags };
      const answer = await this.#ask('recentcontact.page_get', request);
      for (const item of readObjects(answer, 'SessionItem')) {
        const id = this.#conversations.applyListItem(item);
        if (!id) continue;
        listed.push(id);
        const next = readNumber(item, 'GroupNextMsgSeq');
        if (next > 0) this.#inbox.groupReaches(parts(id).target, next - 1);
      }
      cursor = Object.fromEntries(Object.keys(LIST_START).map((name) => [name, readNumber(answer, name)]));
      if (readNumber(answer, 'CompleteFlag') === 1) break;
    }
    return { listed, cursor };
  }

  /** How far each group goes: what is missing is fetched beside this. */
  async #pullGroups(): Promise<void> {
    for (let page = 0; page < PAGES_MAX; page++) {
      const offset = page * GROUPS_A_PAGE;
      const answer = await this.#ask('group_open_http_svc.get_joined_group_list', {
        Member_Account: this.#owner.self(),
        Limit: GROUPS_A_PAGE,
        Offset: offset,
        ResponseFilter: { GroupBaseInfoFilter: ['NextMsgSeq'], SelfInfoFilter: ['MsgSeq'] },
      });
      const groups = readObjects(answer, 'GroupIdList');
      for (const item of groups) {
        const next = readNumber(item, 'NextMsgSeq');
        if (next > 0) this.#inbox.groupReaches(readText(item, 'GroupId'), next - 1);
      }
      if (groups.length === 0 || offset + groups.length >= readNumber(answer, 'TotalCount')) return;
    }
  }

  /** Messages between users and events since the last cookie. Returns the next one. */
  async #pullMessages(isFirst: boolean, isOnline = false): Promise<string> {
    let cookie = this.#cookie;
    let syncFlag = 0;
    for (let page = 0; page < PAGES_MAX && syncFlag !== SYNC_DONE; page++) {
      const request = { Cookie: cookie, SyncFlag: syncFlag, NeedAbstract: 0, IsOnlineSync: Number(isOnline) };
      const answer = await this.#ask('openim.getmsg', request);
      // After the first login they are no news but what the list counts as unread.
      for (const item of isFirst ? [] : readObjects(answer, 'MsgList')) {
        this.#inbox.c2c(readC2c(item, this.#owner.self()), true);
      }
      this.#owner.events(answer);
      const unread = readObjects(answer, 'C2CPairUnreadCount');
      const byUser = unread.map((item) => [readText(item, 'From_Account'), readNumber(item, 'UnreadCount')] as const);
      this.#conversations.applyUnread(new Map(byUser));
      cookie = readText(answer, 'Cookie');
      syncFlag = cookie === '' ? SYNC_DONE : readNumber(answer, 'SyncFlag');
    }
    return cookie;
  }

  /** Tells what is new in a conversation with a user, behind the last message that is known. */
  async #pullHistory(id: StoredConversationId, last: LastEntry | undefined): Promise<void> {
    const { kind, target } = parts(id);
    if (kind === 'group') return; // Its sequence numbers tell what is missing.
    if (!last) return this.#owner.gap(id, 0);
    let from = last.time;
    for (let page = 0; page < HISTORY_PAGES_MAX; page++) {
      const answer = await this.#ask('openim.getroammsg', {
        Peer_Account: target,
        MaxCnt: HISTORY_A_PAGE,
        LastMsgTime: from,
        MsgKey: '',
        WithRecalledMsg: 1,
        GetDirection: 1,
      });
      const arrivals = readObjects(answer, 'MsgList').map((item) => readC2c(item, this.#owner.self()));
      // The second of the last known message may hold older ones, which are no news.
      const isLast = ({ message }: C2cArrival) =>
        message.time === last.time && message.seq === last.seq && message.from === last.from;
      for (const arrival of arrivals.slice(arrivals.findIndex(isLast) + 1)) this.#inbox.c2c(arrival, true);
      if (readNumber(answer, 'Complete') === 1) return;
      // A page ends with a whole second, so the next one may begin behind it.
      from = Math.max(readNumber(answer, 'LastMsgTime'), from) + 1;
    }
    this.#owner.gap(id, 0);
  }
}
