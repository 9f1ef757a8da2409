/** Live rooms: any number of viewers, nothing is stored. */
import type { Connection, RequestOptions } from './connection.ts';
import { ChatError, LocalCode } from './errors.ts';
import { applyToJoin, createGroup, groupCommand } from './groups.ts';
import { ROOM_TYPE } from './messages.ts';
import { readNumber } from './wire/fields.ts';

/** Most rooms that one client is in at the same time. */
export const ROOMS_MAX = 20;

/**
 * {@link ChatClient.rooms}. Messages and tips of a room arrive as events `message` and `tip`, its conversation is
 * `room(groupId)`; messages are sent with {@link ChatClient.send}. Every method rejects with {@link ChatError} and the server's
 * code when the server refuses.
 */
export class Rooms {
  readonly #connection: Connection;
  readonly #self: () => string;
  readonly #joined = new Set<string>();

  /** @internal */
  constructor(connection: Connection, self: () => string) {
    this.#connection = connection;
    this.#self = self;
  }

  /** Group ids of the rooms that this client is in, and enters again after a reconnect. */
  get joined(): readonly string[] {
    return [...this.#joined];
  }

  /** Makes a room with oneself as owner, and does not enter it. Resolves with its group id. */
  async create(name: string, { id }: { id?: string } = {}): Promise<string> {
    const fields = { Type: ROOM_TYPE, Name: name, ...(id && { GroupId: id }) };
    return createGroup(this.#connection, this.#self(), fields);
  }

  /** Enters a room. At most {@link ROOMS_MAX}: with more, `BadArgument`. */
  async join(groupId: string): Promise<void> {
    if (this.#joined.size >= ROOMS_MAX && !this.#joined.has(groupId)) {
      throw new ChatError(LocalCode.BadArgument, `in ${ROOMS_MAX} rooms already`);
    }
    await this.#enter(groupId);
    this.#joined.add(groupId);
  }

  /** Leaves a room. */
  async quit(groupId: string): Promise<void> {
    this.#joined.delete(groupId);
    await this.#connection.request(groupCommand(groupId, 'quit_group'), { GroupId: groupId });
  }

  /** Viewers now, as the server counts them; the count may be some seconds old. */
  async onlineCount(groupId: string): Promise<number> {
    const command = groupCommand(groupId, 'get_online_member_num');
    return readNumber(await this.#connection.request(command, { GroupId: groupId }), 'OnlineMemberNum');
  }

  /**
   * Enters all rooms again, after a reconnect. What was said meanwhile is lost: `missed` is called for each room.
   *
   * @internal
   */
  rejoin(missed: (groupId: string) => void): void {
    for (const groupId of this.#joined) {
      this.#enter(groupId, { repeats: false }).then(
        () => missed(groupId),
        (problem: ChatError) => {
          // The room is gone or does not let us in. Without a connection the next one tries again.
          if (problem.code > 0) this.#joined.delete(groupId);
        },
      );
    }
  }

  /** @internal */
  forget(groupId: string): void {
    this.#joined.delete(groupId);
  }

  /** @internal */
  clear(): void {
    this.#joined.clear();
  }

  async #enter(groupId: string, options: RequestOptions = {}): Promise<void> {
    if ((await applyToJoin(this.#connection, groupId, '', options)) === 'joined') return;
    throw new ChatError(LocalCode.BadAnswer, 'a room that lets nobody in at once', 'apply_join_group');
  }
}
