/** Groups of another system: what a client sees of one that was imported, and that it is a group like others. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  heardIn,
  historyOf,
  knows,
  sayIn,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** When the imported groups were made. */
const BEGIN = 1_600_000_000;

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'group.history_days': 0 });
});

/** @param {string[]} users */
const importAccounts = (users) => server.restOk('im_open_login_svc/multiaccount_import', { Accounts: users });

/** @param {string} command @param {object} body */
const imports = (command, body) => server.restOk(`group_open_http_svc/${command}`, body);

/** @param {Client} client @param {string} group @param {number} count */
const unreadIs = (client, group, count) => client.conversationWhere({ group }, (item) => item?.unreadCount === count);

/**
 * A group in which its owner said `1` to `count`, a second each.
 *
 * @param {string} type @param {string} owner @param {number} count
 */
async function importGroup(type, owner, count) {
  await importAccounts([owner]);
  const group = userNamed('imported');
  await imports('import_group', {
    Type: type,
    GroupId: group,
    Name: 'Old club',
    Owner_Account: owner,
    CreateTime: BEGIN,
  });
  for (let first = 1; first <= count; first += 7) {
    const numbers = Array.from({ length: Math.min(7, count - first + 1) }, (_, index) => first + index);
    await imports('import_group_msg', {
      GroupId: group,
      RecentContactFlag: 1,
      MsgList: numbers.map((number) => ({
        From_Account: owner,
        SendTime: BEGIN + number,
        Random: number,
        MsgBody: groupText(group, `${number}`).MsgBody,
      })),
    });
  }
  return group;
}

/** @param {string} group @param {string} user @param {object} [more] */
async function importMember(group, user, more) {
  await importAccounts([user]);
  const { MemberList } = await imports('import_group_member', {
    GroupId: group,
    MemberList: [{ Member_Account: user, JoinTime: BEGIN, ...more }],
  });
  assert.equal(MemberList[0].Result, 1);
}

/** @param {any[]} messages */
const texts = (messages) => messages.map(({ payload }) => payload.text);

describe('imported groups', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      test('a member finds the whole history at its own times, and what he has not read', async () => {
        const [owner, user] = [userNamed('owner'), userNamed('member')];
        const group = await importGroup(TYPE.public, owner, 40);
        await importMember(group, user, { UnreadMsgNum: 3 });
        const client = await server.startClient({ sdk, user });
        const conversation = await unreadIs(client, group, 3);
        assert.equal(conversation.lastMessage.lastTime, BEGIN + 40);
        const { messages } = await historyOf(client, group);
        assert.deepEqual(
          texts(messages),
          Array.from({ length: 40 }, (_, index) => `${index + 1}`),
        );
        for (const [index, { time, from }] of messages.entries()) {
          assert.deepEqual({ time, from }, { time: BEGIN + index + 1, from: owner });
        }
        await client.call('setMessageRead', { conversationID: conversationID({ group }) });
        await unreadIs(client, group, 0);
        await client.call('logout');
        const again = await server.startClient({ sdk, user });
        await unreadIs(again, group, 0);
      });

      test('who came later sees what was said since', async () => {
        const [owner, user] = [userNamed('owner'), userNamed('late')];
        const group = await importGroup(TYPE.public, owner, 9);
        await importMember(group, user, { JoinTime: BEGIN + 5 });
        const client = await server.startClient({ sdk, user });
        assert.deepEqual(texts((await historyOf(client, group)).messages), ['5', '6', '7', '8', '9']);
      });

      test('afterwards the group is one like others, and the import told nobody', async () => {
        const [first, second] = [userNamed('first'), userNamed('second')];
        const group = await importGroup(TYPE.work, first, 2);
        await importAccounts([second]);
        const other = await server.startClient({ sdk, user: second });
        await importMember(group, second, { UnreadMsgNum: 1 });
        const client = await server.startClient({ sdk, user: first });
        await knows(client, group);
        await sayIn(client, group, 'hello');
        await other.received.next((message) => message.payload.text === 'hello');
        assert.deepEqual(texts(heardIn(other, group)), ['hello'], 'nothing was pushed before');
        // The device was not told of the import, and counts what it hears; who logs in gets the whole count.
        await unreadIs(other, group, 1);
        await other.call('logout');
        const again = await server.startClient({ sdk, user: second });
        await unreadIs(again, group, 2);
        const { data } = await client.call('getGroupProfile', { groupID: group });
        assert.equal(data.group.createTime, BEGIN);
      });
    });
  }
});
