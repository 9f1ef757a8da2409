/** `@teahouse/chat`: the client of the Teahouse chat server. Start at {@link ChatClient}. */
export {
  ChatClient,
  HISTORY_PAGE_MAX,
  VERSION,
  type ClientEvents,
  type ClientOptions,
  type ComposeOptions,
  type HistoryCursor,
  type HistoryPage,
} from './client.ts';
export {
  group,
  parts,
  room,
  user,
  type ConversationId,
  type GroupConversationId,
  type RoomConversationId,
  type StoredConversationId,
  type UserConversationId,
} from './conversation-id.ts';
export { type Conversation, type LastEntry } from './conversations.ts';
export { type Environment, type SocketConstructor, type SocketLike, type Timer } from './environment.ts';
export { ChatError, LocalCode } from './errors.ts';
export {
  type Group,
  type Groups,
  type GroupType,
  type Invited,
  type JoinOption,
  type Member,
  type NewGroup,
} from './groups.ts';
export {
  custom,
  plainText,
  text,
  type Element,
  type Entry,
  type Message,
  type Priority,
  type Tip,
} from './messages.ts';
export { type GroupNotice, type KickReason } from './notices.ts';
export { ROOMS_MAX, type Rooms } from './rooms.ts';
export { type ConnectionState } from './session.ts';
export { type Fields } from './wire/fields.ts';
