/** What a push says, in this package's own words. Events that it does not know are left out. */
import { group, user, type ConversationId } from './conversation-id.ts';
import { readC2c, readGroup, type C2cArrival, type GroupArrival } from './messages.ts';
import { readKick, readNotice, type GroupNotice, type KickReason } from './notices.ts';
import { readNumber, readObject, readObjects, readText, type Fields } from './wire/fields.ts';

/** One event of a push. */
export type PushEvent =
  | { readonly type: 'c2c'; readonly arrival: C2cArrival }
  | { readonly type: 'group'; readonly arrival: GroupArrival }
  | { readonly type: 'notice'; readonly notice: GroupNotice }
  /** The peer has read up to a second. */
  | { readonly type: 'readByPeer'; readonly peer: string; readonly time: number }
  /** This user has read on another device. */
  | { readonly type: 'readElsewhere'; readonly peer: string; readonly time: number }
  | { readonly type: 'groupReadElsewhere'; readonly groupId: string; readonly seq: number }
  | { readonly type: 'deleted'; readonly conversation: ConversationId }
  | { readonly type: 'kicked'; readonly reason: KickReason };

/** `Event` of tips that have no place in the group's sequence. */
const EVENT_PASSING_TIP = 6;
const EVENT_NOTICE = 5;

/** Reads the events of a push in their order. `self` is who is logged in. */
export function readPush(body: Fields, self: string): PushEvent[] {
  return readObjects(body, 'EventArray').flatMap((event): PushEvent[] => [
    ...readObjects(event, 'C2cMsgArray').map((item) => ({ type: 'c2c', arrival: readC2c(item, self) }) as const),
    ...readObjects(event, 'GroupMsgArray').map((item) => ({ type: 'group', arrival: readGroup(item) }) as const),
    ...readObjects(event, 'GroupTips').flatMap((item) => readTips(readNumber(event, 'Event'), item)),
    ...readObjects(event, 'C2cNotifyMsgArray').flatMap(readC2cNotice),
    ...readObjects(event, 'RecentContactMod').flatMap(readDeletion),
  ]);
}

function readTips(event: number, item: Fields): PushEvent[] {
  if (event === EVENT_NOTICE) {
    const body = readObject(item, 'MsgBody');
    const reads = readObjects(body, 'GroupReadInfoArray');
    if (reads.length > 0) {
      return reads.map((read) => ({
        type: 'groupReadElsewhere',
        groupId: readText(read, 'GroupId'),
        seq: readNumber(read, 'LastReadMsgSeq'),
      }));
    }
    // Recalls and receipts come as notices too, and are not known here yet.
    return body.ReportType === undefined ? [] : [{ type: 'notice', notice: readNotice(item) }];
  }
  // Mentions come as tips without a body, in addition to the message itself.
  if (item.MsgBody === undefined) return [];
  const arrival = readGroup(item);
  return [{ type: 'group', arrival: event === EVENT_PASSING_TIP ? { ...arrival, seq: 0 } : arrival }];
}

function readC2cNotice(item: Fields): PushEvent[] {
  const receipt = readObject(item, 'C2cReadedReceipt');
  const elsewhere = readObject(item, 'ReadC2cMsgNotify');
  const kick = readObject(item, 'KickoutMsgNotify');
  return [
    ...readObjects(receipt, 'UinPairReadArray').map((read): PushEvent => ({
      type: 'readByPeer',
      peer: readText(receipt, 'To_Account'),
      time: readNumber(read, 'LastReadTime'),
    })),
    ...readObjects(elsewhere, 'UinPairReadArray').map((read): PushEvent => ({
      type: 'readElsewhere',
      peer: readText(read, 'From_Account'),
      time: readNumber(read, 'LastReadTime'),
    })),
    ...(kick.KickType === undefined
      ? []
      : [{ type: 'kicked', reason: readKick(readNumber(kick, 'KickType')) } as const]),
  ];
}

const PUSH_TYPE_DELETED = 1;

function readDeletion(change: Fields): PushEvent[] {
  if (readNumber(change, 'PushType') !== PUSH_TYPE_DELETED) return [];
  return readObjects(readObject(change, 'RecentContactDeleteItem'), 'RecentContactList').map((item) => ({
    type: 'deleted',
    conversation: readText(item, 'GroupId') ? group(readText(item, 'GroupId')) : user(readText(item, 'UserId')),
  }));
}
