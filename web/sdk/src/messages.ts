/** Messages and tips: what applications see of them, and how they look on the wire. */
import { group, room, user, type ConversationId } from './conversation-id.ts';
import { isFields, readNumber, readObject, readObjects, readText, readTexts, type Fields } from './wire/fields.ts';

/** One piece of a message. */
export type Element =
  | { readonly type: 'text'; readonly text: string }
  /** Whatever the application wants: the server does not look into it. */
  | { readonly type: 'custom'; readonly data: string; readonly description: string; readonly extension: string }
  /** An element that this package does not know yet: name and content as on the wire. */
  | { readonly type: 'other'; readonly name: string; readonly content: Fields };

/** A text element. Text and custom data of one message together have at most 12 KiB, unless the app's settings differ. */
export function text(value: string): Element {
  return { type: 'text', text: value };
}

/** A custom element. */
export function custom(data: string, description = '', extension = ''): Element {
  return { type: 'custom', data, description, extension };
}

/** Which messages of a group go first when there are more than it may have a second. */
export type Priority = 'High' | 'Normal' | 'Low' | 'Lowest';

/** A message. */
export interface Message {
  readonly kind: 'message';
  /** Unique, and known before the message is sent; all copies of a message have the same. */
  readonly id: string;
  readonly conversation: ConversationId;
  /** User id of the sender. */
  readonly from: string;
  /** Nick of the sender; may be empty. */
  readonly fromNick: string;
  readonly elements: readonly Element[];
  /** Text that goes along with the message and is not shown; may be empty. */
  readonly customData: string;
  /** When the server accepted it, unix seconds; 0 before. */
  readonly time: number;
  /** When the sender wrote it, unix seconds of the server's clock. */
  readonly clientTime: number;
  /** In groups and rooms the place, from 1, that the server gives; 0 before, and with users a number of the sender's. */
  readonly seq: number;
  /** Chosen by the sender, so that a repeated send is recognised. */
  readonly random: number;
  /** Of a message to a group or room. */
  readonly priority: Priority;
  /** It is delivered to connected devices only and is not stored. */
  readonly onlineOnly: boolean;
}

/** Something that happened in a group or room, told to all members. In groups it has a place in the history. */
export interface Tip {
  readonly kind: 'tip';
  readonly conversation: ConversationId;
  readonly what: 'joined' | 'quit' | 'kicked' | 'adminSet' | 'adminUnset' | 'infoChanged' | 'memberChanged' | 'other';
  /** User id of who did it. */
  readonly operator: string;
  /** User ids of those to whom it happened. */
  readonly members: readonly string[];
  /** Members afterwards; 0 if not told. */
  readonly memberCount: number;
  /** The whole tip as on the wire, for what is not above. */
  readonly details: Fields;
  /** Unix seconds. */
  readonly time: number;
  /** Its place in the group; 0 if it has none. */
  readonly seq: number;
}

/** What the history of a conversation consists of. */
export type Entry = Message | Tip;

/** All texts of a message, in their order. */
export function plainText(message: Message): string {
  return message.elements.map((element) => (element.type === 'text' ? element.text : '')).join('');
}

export function messageId(tinyId: string, clientTime: number, random: number): string {
  return `${tinyId}-${clientTime}-${random}`;
}

const PRIORITIES: readonly string[] = ['High', 'Normal', 'Low', 'Lowest'] satisfies Priority[];

const TIPS: { readonly [opType: number]: Tip['what'] } = {
  1: 'joined',
  2: 'quit',
  3: 'kicked',
  4: 'adminSet',
  5: 'adminUnset',
  6: 'infoChanged',
  7: 'memberChanged',
};

/** As on the wire. */
export const ROOM_TYPE = 'AVChatRoom';

/** A message between two users as it came, with what only the client's own bookkeeping wants to know. */
export interface C2cArrival {
  readonly message: Message;
  /** It adds to the unread messages, if it is from the peer. */
  readonly counts: boolean;
  /** It was recalled: its place is known, what it said is not shown any more. */
  readonly recalled: boolean;
}

/** Reads an item of `C2cMsgArray` or of a message list. `self` is who is logged in. */
export function readC2c(item: Fields, self: string): C2cArrival {
  // A copy of one's own message, sent on another device, comes with both ends swapped.
  const swapped = readNumber(item, 'IsSyncMsg') === 1;
  const from = readText(item, swapped ? 'To_Account' : 'From_Account');
  const to = readText(item, swapped ? 'From_Account' : 'To_Account');
  const onlineOnly = item.MsgLifeTime === 0;
  const message: Message = {
    ...readCommon(item, from),
    conversation: user(from === self ? to : from),
    fromNick: readText(item, 'From_AccountNick'),
    priority: 'Normal',
    onlineOnly,
  };
  const silent = readNumber(readObject(item, 'SendMsgControl'), 'NoUnread') === 1;
  return { message, counts: !silent && !onlineOnly, recalled: readNumber(item, 'MsgFlagBits') === 8 };
}

/** A message or tip of a group or room as it came. */
export interface GroupArrival {
  readonly entry: Entry;
  readonly groupId: string;
  readonly groupName: string;
  readonly isRoom: boolean;
  /** Its place in the sequence of the group without gaps; 0 if it has none. */
  readonly seq: number;
  /** Nothing is there (any more) at this place. */
  readonly hole: boolean;
  readonly counts: boolean;
}

/**
 * Reads an item of `GroupMsgArray`, `GroupTips` or `RspMsgList`. `asked` is the id of the group if the item does not say so
 * itself; histories leave that out.
 */
export function readGroup(item: Fields, asked = ''): GroupArrival {
  const info = readObject(item, 'GroupInfo');
  const groupId = readText(info, 'GroupId') || readText(item, 'ToGroupId') || readText(item, 'GroupId') || asked;
  const isRoom = info.GroupType === ROOM_TYPE;
  const conversation = isRoom ? room(groupId) : group(groupId);
  const seq = readNumber(item, 'MsgSeq');
  const onlineOnly = readNumber(item, 'OnlineOnlyFlag') === 1;
  const place = readNumber(item, 'IsPlaceMsg');
  const groupName = readText(info, 'GroupName');
  const common = { groupId, groupName, isRoom, seq: isRoom || onlineOnly ? 0 : seq, hole: place !== 0 };
  if (isFields(item.MsgBody)) {
    return { ...common, entry: readTip(item, item.MsgBody, conversation, seq), counts: false };
  }
  const priority = readText(item, 'MsgPriority');
  const message: Message = {
    ...readCommon(item, readText(item, 'From_Account')),
    conversation,
    fromNick: readText(readObject(info, 'MsgFrom_AccountExtraInfo'), 'NameCard') || readText(info, 'From_AccountNick'),
    priority: PRIORITIES.includes(priority) ? (priority as Priority) : 'Normal',
    onlineOnly,
  };
  const silent = readNumber(readObject(item, 'SendMsgControl'), 'NoUnread') === 1;
  return { ...common, entry: message, counts: !silent && !onlineOnly && !isRoom };
}

function readCommon(item: Fields, from: string) {
  const clientTime = readNumber(item, 'MsgClientTime');
  const random = readNumber(item, 'MsgRandom') || readNumber(item, 'Random');
  return {
    kind: 'message',
    id: messageId(readText(item, 'TinyId'), clientTime, random),
    from,
    elements: readElements(item),
    customData: readText(item, 'CloudCustomData'),
    time: readNumber(item, 'MsgTimeStamp'),
    clientTime,
    seq: readNumber(item, 'MsgSeq'),
    random,
  } as const;
}

function readTip(item: Fields, body: Fields, conversation: ConversationId, seq: number): Tip {
  return {
    kind: 'tip',
    conversation,
    what: TIPS[readNumber(body, 'OpType')] ?? 'other',
    operator: readText(body, 'Operator_Account'),
    members: readTexts(body, 'List_Account'),
    memberCount: readNumber(body, 'MemberNum'),
    details: body,
    time: readNumber(item, 'MsgTimeStamp'),
    seq,
  };
}

export function readElements(item: Fields): Element[] {
  return readObjects(item, 'MsgBody').map((element) => {
    const content = readObject(element, 'MsgContent');
    const name = readText(element, 'MsgType');
    if (name === 'TIMTextElem') return { type: 'text', text: readText(content, 'Text') };
    if (name !== 'TIMCustomElem') return { type: 'other', name, content };
    return {
      type: 'custom',
      data: readText(content, 'Data'),
      description: readText(content, 'Desc'),
      extension: readText(content, 'Ext'),
    };
  });
}

/** `MsgBody`. */
export function writeElements(elements: readonly Element[]): Fields[] {
  return elements.map((element) => {
    switch (element.type) {
      case 'text':
        return { MsgType: 'TIMTextElem', MsgContent: { Text: element.text } };
      case 'custom': {
        const { data, description, extension } = element;
        return { MsgType: 'TIMCustomElem', MsgContent: { Data: data, Desc: description, Ext: extension } };
      }
      case 'other':
        return { MsgType: element.name, MsgContent: element.content };
    }
  });
}
