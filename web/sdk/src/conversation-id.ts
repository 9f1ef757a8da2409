/** Names of conversations. */

/** With another user: `user:` and the user id. */
export type UserConversationId = `user:${string}`;
/** In a group: `group:` and the group id. */
export type GroupConversationId = `group:${string}`;
/** In a live room: `room:` and the group id. */
export type RoomConversationId = `room:${string}`;
/** Where a message belongs. Text, so that it can be a key of maps and of user interfaces. */
export type ConversationId = UserConversationId | GroupConversationId | RoomConversationId;
/** A conversation that is stored: it has a history, a read mark and a place in the list. */
export type StoredConversationId = UserConversationId | GroupConversationId;

/** The conversation with a user. */
export function user(userId: string): UserConversationId {
  return `user:${userId}`;
}

/** The conversation of a group. */
export function group(groupId: string): GroupConversationId {
  return `group:${groupId}`;
}

/** The conversation of a live room. */
export function room(groupId: string): RoomConversationId {
  return `room:${groupId}`;
}

/** Takes a name apart. */
export function parts(id: ConversationId): { kind: 'user' | 'group' | 'room'; target: string } {
  const colon = id.indexOf(':');
  return { kind: id.slice(0, colon) as 'user' | 'group' | 'room', target: id.slice(colon + 1) };
}
