/** What tests of groups and live rooms share. */
import { randomInt } from 'node:crypto';
import { conversationID } from './client.js';

/** @typedef {import('./client.js').Client} Client */

/** Types of groups, by the names that users know them by. */
export const TYPE = /** @type {const} */ ({
  work: 'Private',
  public: 'Public',
  meeting: 'ChatRoom',
  room: 'AVChatRoom',
  community: 'Community',
});

/** What a tip (`TIMGroupTipElem`) tells the members of a group, as the packages number it. */
export const TIP = /** @type {const} */ ({
  joined: 1,
  quit: 2,
  kicked: 3,
  adminSet: 4,
  adminUnset: 5,
  profile: 6,
  member: 7,
  banned: 10,
});

/** What a notice (`TIMGroupSystemNoticeElem`) tells a single user. */
export const NOTICE = /** @type {const} */ ({
  applied: 1,
  accepted: 2,
  refused: 3,
  kicked: 4,
  dismissed: 5,
  created: 6,
  invited: 7,
  quit: 8,
  adminSet: 9,
  adminUnset: 10,
  consentAsked: 12,
  invitationAccepted: 13,
  invitationRefused: 14,
  banned: 21,
  unbanned: 22,
  approvalAsked: 24,
  custom: 255,
});

/**
 * Sends a text to a group.
 *
 * @param {Client} client
 * @param {string} group
 * @param {string} text
 * @param {{message?: object, options?: object}} [more]
 */
export function sayIn(client, group, text, more = {}) {
  const message = { conversationType: 'GROUP', ...more.message };
  return client.send('Text', group, { text }, { ...more, message });
}

/** The body of a `send_group_msg` with one text. @param {string} group @param {string} text @param {object} [more] */
export function groupText(group, text, more) {
  return {
    GroupId: group,
    Random: randomInt(2 ** 32),
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
    ...more,
  };
}

let groups = 0;

/**
 * Makes a group by REST, so that nothing is said in it yet: a package greets a group that it makes.
 *
 * @param {import('./server.js').Server} server
 * @param {{owner: Client, members?: Client[], type?: string, options?: object}} wanted
 *   `options`: further fields of `create_group`. The packages know the group when this returns,
 *   unless it is a work group.
 * @returns {Promise<string>} Its id.
 */
export async function makeGroup(server, { owner, members = [], type = TYPE.public, options }) {
  groups += 1;
  const group = `${type === TYPE.community ? '@TGS#_' : ''}group-${process.pid}-${groups}`;
  await server.restOk('group_open_http_svc/create_group', {
    Owner_Account: owner.user,
    Type: type,
    GroupId: group,
    Name: 'a group',
    MemberList: members.map(({ user }) => ({ Member_Account: user })),
    ...options,
  });
  // Of a work group nobody hears before its first message.
  const told = type === TYPE.work ? [] : [owner, ...members];
  await Promise.all(
    told.map(async (client) => {
      await notice(client, group, NOTICE.invited);
      await knows(client, group);
    }),
  );
  return group;
}

/**
 * Waits until the package has the group in its list, as `predicate` wants it. When it puts it there it forgets what it had
 * of it: messages, and how far it has paged through the history.
 *
 * @param {Client} client
 * @param {string} group
 * @param {(item: any) => boolean} [predicate]
 */
export async function knows(client, group, predicate = () => true) {
  const lists = (/** @type {any} */ { name, data }) =>
    name === 'onGroupListUpdated' &&
    data.some((/** @type {any} */ item) => item.groupID === group && predicate(item));
  await client.events.atLeast(1, lists, { what: `list of groups with ${group}` });
}

/**
 * Whether a message is a tip of the group.
 *
 * @param {string} group
 * @param {number} kind One of `TIP`.
 * @param {(payload: any) => boolean} [predicate]
 */
export function isTip(group, kind, predicate = () => true) {
  return (/** @type {any} */ message) =>
    message.type === 'TIMGroupTipElem' &&
    message.conversationID === conversationID({ group }) &&
    message.payload.operationType === kind &&
    predicate(message.payload);
}

/**
 * The payload of the next tip of the group that no earlier call got.
 *
 * @param {Client} client
 * @param {string} group
 * @param {number} kind One of `TIP`.
 * @param {(payload: any) => boolean} [predicate]
 */
export async function tip(client, group, kind, predicate) {
  const accepts = isTip(group, kind, predicate);
  return (await client.received.next(accepts, { what: `tip ${kind} of ${group}` })).payload;
}

/** Whether a message is a notice about the group. @param {string} group @param {number} kind One of `NOTICE`. */
export function isNotice(group, kind) {
  return (/** @type {any} */ message) =>
    message.type === 'TIMGroupSystemNoticeElem' &&
    message.payload.groupProfile.groupID === group &&
    message.payload.operationType === kind;
}

/**
 * The next notice about the group that no earlier call got: the whole message.
 *
 * @param {Client} client
 * @param {string} group
 * @param {number} kind One of `NOTICE`.
 */
export function notice(client, group, kind) {
  return client.received.next(isNotice(group, kind), { what: `notice ${kind} about ${group}` });
}

/** Everything that a client received of the group until now, tips among it. @param {Client} client @param {string} group */
export function heardIn(client, group) {
  const id = conversationID({ group });
  return client.received.entries.filter((message) => message.conversationID === id);
}

/** The texts of `heardIn`. @param {Client} client @param {string} group @returns {string[]} */
export function textsIn(client, group) {
  return heardIn(client, group)
    .filter(({ type }) => type === 'TIMTextElem')
    .map(({ payload }) => payload.text);
}

/**
 * The history of a group as the package pages through it.
 *
 * @param {Client} client
 * @param {string} group
 * @returns {Promise<{messages: any[], pages: number}>} Oldest first.
 */
export async function historyOf(client, group) {
  await knows(client, group);
  /** @type {any[]} */
  const messages = [];
  let nextReqMessageID;
  for (let pages = 1; ; pages += 1) {
    const { data } = await client.call('getMessageList', {
      conversationID: conversationID({ group }),
      nextReqMessageID,
    });
    messages.unshift(...data.messageList);
    if (data.isCompleted) return { messages, pages };
    if (pages > 100) throw new Error(`paging through ${group} does not end`);
    nextReqMessageID = data.nextReqMessageID;
  }
}

/** The texts of a group's history, oldest first. @param {Client} client @param {string} group @returns {Promise<string[]>} */
export async function textsOfHistory(client, group) {
  const { messages } = await historyOf(client, group);
  return messages.filter(({ type }) => type === 'TIMTextElem').map(({ payload }) => payload.text);
}
