/** The live room: the server's simulated viewers, and one real viewer in this browser. */
import { ChatClient, plainText, room, text, type Message } from '@teahouse/chat';
import { getRoom, postRoom, socketUrl, type RoomReport, type User } from './api.ts';
import { inWords } from './person.ts';
import { Store } from './store.ts';

/** One second of the room. */
export interface Sample {
  /** Unix seconds, with fraction. */
  readonly at: number;
  readonly deliveredPerSecond: number;
  readonly droppedPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** A message as the viewer in this browser shows it. */
export interface Comment {
  readonly key: string;
  readonly from: string;
  readonly text: string;
  readonly isOwn: boolean;
}

/** What the viewer in this browser sees. Hundreds of messages a second may come: they are painted once a frame. */
export class Feed extends Store {
  comments: Comment[] = [];
  #isPaintPlanned = false;

  add(comment: Comment): void {
    this.comments.push(comment);
    if (this.comments.length > COMMENTS_MAX) this.comments.shift();
    if (this.#isPaintPlanned) return;
    this.#isPaintPlanned = true;
    requestAnimationFrame(() => {
      this.#isPaintPlanned = false;
      this.changed();
    });
  }
}

export const VIEWERS_MAX = 1000;
export const RATE_MAX = 200;
const ASK_EVERY_MS = 1000;
/** A little more than the minute that the charts show. */
const SAMPLES_MAX = 70;
const COMMENTS_MAX = 40;

export class LiveRoom extends Store {
  readonly groupId: string;
  readonly me: User;
  viewers = 200;
  messagesPerSecond = 40;
  isOpen = false;
  /** Why it does not run; empty if it does or was never tried. */
  problem = '';
  samples: Sample[] = [];
  report: RoomReport | undefined;
  readonly feed = new Feed();
  /** Messages that this browser got in the last second. */
  seenPerSecond = 0;
  readonly #client: ChatClient;
  #last: { at: number; report: RoomReport } | undefined;
  #seen = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(groupId: string, me: User, sdkAppId: number) {
    super();
    this.groupId = groupId;
    this.me = me;
    this.#client = new ChatClient({ sdkAppId, url: socketUrl() });
    this.#client.on('message', (message) => this.#arrived(message));
  }

  async open(): Promise<void> {
    this.isOpen = true;
    this.problem = '';
    this.samples = [];
    this.#last = undefined;
    this.changed();
    try {
      this.#take(await this.#post());
      if (this.#client.state === 'offline') await this.#client.login(this.me.userId, this.me.userSig);
      if (!this.isOpen) return;
      await this.#client.rooms.join(this.groupId);
      // It may have been closed meanwhile, and then its viewer goes again.
      if (this.isOpen) this.#askAgain();
      else await this.#client.rooms.quit(this.groupId);
    } catch (problem) {
      this.#stop(inWords(problem));
    }
  }

  async close(): Promise<void> {
    this.#stop('');
    await postRoom({ groupId: this.groupId, viewers: 0, messagesPerSecond: 0 }).catch(() => {});
    await this.#client.rooms.quit(this.groupId).catch(() => {});
  }

  /** Changes what is simulated, also while it runs. */
  async adjust(change: { viewers?: number; messagesPerSecond?: number }): Promise<void> {
    Object.assign(this, change);
    this.changed();
    if (!this.isOpen) return;
    try {
      await this.#post();
    } catch (problem) {
      this.#stop(inWords(problem));
    }
  }

  async say(content: string): Promise<void> {
    const message = this.#client.compose(room(this.groupId), text(content), { priority: 'High' });
    this.#show(message);
    try {
      await this.#client.send(message);
    } catch (problem) {
      this.problem = inWords(problem);
      this.changed();
    }
  }

  #post(): Promise<RoomReport> {
    const { groupId, viewers, messagesPerSecond } = this;
    return postRoom({ groupId, viewers, messagesPerSecond });
  }

  #askAgain(): void {
    this.#timer = setTimeout(async () => {
      try {
        const report = await getRoom();
        if (!this.isOpen) return;
        if (!report.groupId) return this.#stop('The room was closed: nobody has looked for a while.');
        if (report.groupId !== this.groupId) return this.#stop('Another page has opened its own room.');
        this.#take(report);
        this.#askAgain();
      } catch (problem) {
        this.#stop(inWords(problem));
      }
    }, ASK_EVERY_MS);
  }

  #take(report: RoomReport): void {
    const at = Date.now() / 1000;
    const last = this.#last;
    // A room that was started anew counts from zero.
    if (last && at > last.at && report.delivered >= last.report.delivered) {
      const seconds = at - last.at;
      const rate = (name: 'delivered' | 'dropped') => Math.max(0, report[name] - last.report[name]) / seconds;
      const sample = {
        at,
        deliveredPerSecond: rate('delivered'),
        droppedPerSecond: rate('dropped'),
        p50: report.latencyMs.p50,
        p99: report.latencyMs.p99,
      };
      this.samples = [...this.samples, sample].slice(-SAMPLES_MAX);
      this.seenPerSecond = this.#seen / seconds;
      this.#seen = 0;
    }
    this.#last = { at, report };
    this.report = report;
    this.changed();
  }

  #arrived(message: Message): void {
    if (message.conversation !== room(this.groupId)) return;
    this.#seen += 1;
    this.#show(message);
  }

  #show(message: Message): void {
    const { id: key, from } = message;
    this.feed.add({ key, from, text: plainText(message), isOwn: from === this.me.userId });
  }

  #stop(problem: string): void {
    clearTimeout(this.#timer);
    this.isOpen = false;
    this.problem = problem;
    this.changed();
  }
}
