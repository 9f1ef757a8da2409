/** The conversation list: what it holds, and how messages, marks and the server's own list change it. No I/O, no time. */
import { BoundedMap } from './bounded.ts';
import { group, user, type StoredConversationId } from './conversation-id.ts';
import { readElements, type Element, type Entry } from './messages.ts';
import { isFields, readNumber, readObject, readText, type Fields } from './wire/fields.ts';

/** One line of the conversation list. */
export interface Conversation {
  readonly id: StoredConversationId;
  /** Nick of the user or name of the group; may be empty. */
  readonly name: string;
  /** Messages that this user has not read. */
  readonly unread: number;
  /** The last message or tip. Absent when there is none. */
  readonly last?: LastEntry;
  /** With a user: up to when the peer has read, unix seconds; 0 for never. */
  readonly peerReadTime: number;
  readonly pinned: boolean;
}

/** What a list shows of the last message. */
export interface LastEntry {
  /** User id of the sender; of a tip, of who did it. */
  readonly from: string;
  /** Of a message; empty for a tip. */
  readonly elements: readonly Element[];
  /** Unix seconds. */
  readonly time: number;
  /** In groups the place in the sequence. */
  readonly seq: number;
}

/** Most conversations that are kept; beyond them the ones not touched for longest are forgotten. */
export const CONVERSATIONS_MAX = 2000;

export class Conversations {
  readonly #byId = new BoundedMap<StoredConversationId, Conversation>(CONVERSATIONS_MAX);
  /** Of groups: messages up to here are in the count that the server gave. */
  readonly #countedThrough = new BoundedMap<StoredConversationId, number>(CONVERSATIONS_MAX);
  readonly #changed: () => void;

  /** `changed` is called after every change. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get(id: StoredConversationId): Conversation | undefined {
    return this.#byId.get(id);
  }

  /** Pinned ones first, then by time of the last message, newest first. */
  list(): Conversation[] {
    const time = (conversation: Conversation) => conversation.last?.time ?? 0;
    return [...this.#byId.values()].sort((a, b) => Number(b.pinned) - Number(a.pinned) || time(b) - time(a));
  }

  /** Takes in an item of the server's list. Undefined if it is of a kind that is not known here. */
  applyListItem(item: Fields): StoredConversationId | undefined {
    const isGroup = readNumber(item, 'Type') === 2;
    const target = isGroup ? readText(item, 'ToAccount') || readText(item, 'ToGroupId') : readText(item, 'To_Account');
    if (!target) return undefined;
    const id = isGroup ? group(target) : user(target);
    const ignored = readNumber(item, 'GroupIgnoredUnreadSeqCount');
    const last = readLast(item, isGroup);
    const known = this.#byId.get(id);
    // Pushes can be newer than a list that was asked for before them.
    const newer = known?.last && last && known.last.time > last.time ? known.last : (last ?? known?.last);
    this.#put({
      id,
      name: readText(item, isGroup ? 'GroupNick' : 'C2cNick'),
      unread: Math.max(0, readNumber(item, 'UnreadMsgCount') - ignored),
      ...(newer && { last: newer }),
      peerReadTime: Math.max(known?.peerReadTime ?? 0, readNumber(item, 'C2cPeerReadTime')),
      pinned: readNumber(item, 'TopFlags') === 1,
    });
    if (isGroup) this.#countedThrough.set(id, readNumber(item, 'GroupNextMsgSeq') - 1);
    return id;
  }

  /** Takes in a message or tip. `counts`: it is somebody else's and adds to the unread ones. */
  applyEntry(id: StoredConversationId, entry: Entry, counts: boolean, name = ''): void {
    const known = this.#byId.get(id);
    const counted = entry.seq > 0 && id.startsWith('group:') && entry.seq <= (this.#countedThrough.get(id) ?? 0);
    const isOlder = known?.last !== undefined && entry.time < known.last.time;
    this.#put({
      ...(known ?? { id, name, peerReadTime: 0, pinned: false }),
      unread: (known?.unread ?? 0) + (counts && !counted ? 1 : 0),
      ...(!isOlder && { last: lastOf(entry) }),
    });
  }

  /** The number of unread messages with every user, as the server counts them now; users without any are left out. */
  applyUnread(byUser: ReadonlyMap<string, number>): void {
    for (const conversation of this.#byId.values()) {
      if (!conversation.id.startsWith('user:')) continue;
      const unread = byUser.get(conversation.id.slice('user:'.length)) ?? 0;
      if (unread !== conversation.unread) this.#replace({ ...conversation, unread });
    }
  }

  /** This user has read everything up to a second or a place. */
  applyOwnRead(id: StoredConversationId, through: { time: number } | { seq: number }): void {
    const known = this.#byId.get(id);
    if (!known || known.unread === 0) return;
    const last = known.last;
    const isAll = !last || ('seq' in through ? through.seq >= last.seq : through.time >= last.time);
    // How many are left behind an earlier mark only the server knows; its next list tells.
    if (isAll) this.#replace({ ...known, unread: 0 });
  }

  /** The peer has read everything up to `time`. False if that is not news. */
  applyPeerRead(peer: string, time: number): boolean {
    const known = this.#byId.get(user(peer));
    if (!known || known.peerReadTime >= time) return false;
    this.#replace({ ...known, peerReadTime: time });
    return true;
  }

  remove(id: StoredConversationId): void {
    this.#byId.delete(id);
    this.#countedThrough.delete(id);
    this.#changed();
  }

  clear(): void {
    this.#byId.clear();
    this.#countedThrough.clear();
    this.#changed();
  }

  #put(conversation: Conversation): void {
    this.#byId.set(conversation.id, conversation);
    this.#changed();
  }

  /** Like `#put`, for changes that do not make a conversation more recent, also while the list is walked. */
  #replace(conversation: Conversation): void {
    this.#byId.replace(conversation.id, conversation);
    this.#changed();
  }
}

function lastOf(entry: Entry): LastEntry {
  return entry.kind === 'message'
    ? { from: entry.from, elements: entry.elements, time: entry.time, seq: entry.seq }
    : { from: entry.operator, elements: [], time: entry.time, seq: entry.seq };
}

function readLast(item: Fields, isGroup: boolean): LastEntry | undefined {
  if (!isFields(item.LastMsg)) return undefined;
  return {
    from: isGroup
      ? readText(item, 'MsgGroupFrom_Account')
      : readText(item, 'LastC2CMsgFrom_Account') || readText(item, 'LastC2cMsgFrom_Account'),
    elements: readElements(readObject(item, 'LastMsg')),
    time: readNumber(item, 'MsgTime') || readNumber(item, 'MsgTimeStamp'),
    seq: readNumber(item, 'MsgSeq'),
  };
}
