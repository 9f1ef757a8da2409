/**
 * What arrives: told to the application once, in order, and entered in the conversation list. A message can arrive twice (the
 * server repeats what may have been lost, a fetch overlaps a push), and in groups it can be missing until it is fetched.
 */
import { BoundedMap, BoundedSet } from './bounded.ts';
import type { Conversations } from './conversations.ts';
import { group, type StoredConversationId } from './conversation-id.ts';
import { GroupSequence, type Step } from './group-sequence.ts';
import type { C2cArrival, GroupArrival, Message, Tip } from './messages.ts';

export interface InboxOwner {
  /** User id of who is logged in. */
  self(): string;
  message(message: Message): void;
  tip(tip: Tip): void;
  /** So many messages were missed and are not fetched; 0: it is not known how many. */
  gap(conversation: Message['conversation'], missed: number): void;
  /** What the server has of these places, in any order. */
  fetchGroup(groupId: string, from: number, through: number): Promise<GroupArrival[]>;
}

/** Messages that are remembered so that they are not told twice. */
const SEEN_MAX = 8192;
/** Own messages that are remembered, should the server send them back. */
const OWN_MAX = 1024;
/** Groups whose order is kept. One that is forgotten begins anew with its next message. */
const GROUPS_MAX = 2000;

export class Inbox {
  readonly #conversations: Conversations;
  readonly #owner: InboxOwner;
  readonly #seen = new BoundedSet<string>(SEEN_MAX);
  readonly #own = new BoundedSet<string>(OWN_MAX);
  readonly #sequences = new BoundedMap<string, GroupSequence<GroupArrival>>(GROUPS_MAX);

  constructor(conversations: Conversations, owner: InboxOwner) {
    this.#conversations = conversations;
    this.#owner = owner;
  }

  /** `isCounted`: the unread count that the server gives with it has this message already. */
  c2c({ message, counts, recalled }: C2cArrival, isCounted = false): void {
    const key = [message.conversation, message.from, message.seq, message.random, message.clientTime].join(' ');
    if (!this.#seen.add(key) || this.#isEcho(message) || recalled) return;
    const isOthers = message.from !== this.#owner.self();
    const id = message.conversation as StoredConversationId;
    if (!message.onlineOnly) {
      this.#conversations.applyEntry(id, message, counts && isOthers && !isCounted, isOthers ? message.fromNick : '');
    }
    this.#owner.message(message);
  }

  group(arrival: GroupArrival): void {
    if (arrival.seq > 0) return this.#run(arrival.groupId, (sequence) => sequence.arrived(arrival.seq, arrival));
    // Live rooms and passing messages have no sequence without gaps: what was lost is lost, only repetitions matter.
    const random = arrival.entry.kind === 'message' ? arrival.entry.random : arrival.entry.time;
    if (this.#seen.add(`${arrival.groupId} ${arrival.entry.seq} ${random}`)) this.#tellGroup(arrival);
  }

  /** Before an own message is sent. */
  sending(message: Message): void {
    this.#own.add(message.id);
  }

  /** An own message got its time and place. */
  sent(message: Message): void {
    if (message.conversation.startsWith('room:')) return;
    const id = message.conversation as StoredConversationId;
    if (id.startsWith('group:') && message.seq > 0 && !message.onlineOnly) {
      this.#run(id.slice('group:'.length), (sequence) => sequence.sent(message.seq));
    }
    if (!message.onlineOnly) this.#conversations.applyEntry(id, message, false);
  }

  /** Everything from the first message on is news: this user has just made the group. */
  groupBegins(groupId: string): void {
    this.#sequence(groupId).begin(0);
  }

  /** The server says that a group goes up to `seq`. */
  groupReaches(groupId: string, seq: number): void {
    this.#run(groupId, (sequence) => sequence.reaches(seq));
  }

  /** The last place of a group that was told; 0 if none is known. */
  groupTold(groupId: string): number {
    return this.#sequences.get(groupId)?.told ?? 0;
  }

  /** This user is not in the group any more. */
  forgetGroup(groupId: string): void {
    this.#sequences.delete(groupId);
  }

  clear(): void {
    this.#seen.clear();
    this.#own.clear();
    this.#sequences.clear();
  }

  #sequence(groupId: string): GroupSequence<GroupArrival> {
    const sequence = this.#sequences.get(groupId) ?? new GroupSequence<GroupArrival>();
    this.#sequences.set(groupId, sequence);
    return sequence;
  }

  #run(groupId: string, advance: (sequence: GroupSequence<GroupArrival>) => Step<GroupArrival>): void {
    const { tell, fetch, skipped } = advance(this.#sequence(groupId));
    if (skipped > 0) this.#owner.gap(group(groupId), skipped);
    for (const arrival of tell) this.#tellGroup(arrival);
    if (fetch) void this.#fetch(groupId, fetch.from, fetch.through);
  }

  async #fetch(groupId: string, from: number, through: number): Promise<void> {
    let advance: (sequence: GroupSequence<GroupArrival>) => Step<GroupArrival>;
    try {
      const arrivals = await this.#owner.fetchGroup(groupId, from, through);
      const items = arrivals.map((item) => ({ seq: item.seq, item }));
      advance = (sequence) => sequence.filled(items, through);
    } catch {
      advance = (sequence) => sequence.gaveUp();
    }
    // A group that was left meanwhile has nothing to tell, nor has one of a session that is over.
    if (this.#sequences.get(groupId)) this.#run(groupId, advance);
  }

  #tellGroup({ entry, groupId, groupName, isRoom, hole, counts }: GroupArrival): void {
    if (hole || (entry.kind === 'message' && this.#isEcho(entry))) return;
    const isOthers = entry.kind === 'tip' || entry.from !== this.#owner.self();
    const isStored = !isRoom && entry.seq > 0 && !(entry.kind === 'message' && entry.onlineOnly);
    if (isStored) this.#conversations.applyEntry(group(groupId), entry, counts && isOthers, groupName);
    if (entry.kind === 'tip') this.#owner.tip(entry);
    else this.#owner.message(entry);
  }

  /** A message that this client has sent itself: `send` tells of it. */
  #isEcho(message: Message): boolean {
    return message.from === this.#owner.self() && this.#own.has(message.id);
  }
}
