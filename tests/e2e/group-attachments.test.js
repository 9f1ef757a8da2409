/** What members attach to messages of a group: receipts, reactions, extensions, pins. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  TYPE,
  cleanUpAfterwards,
  knows,
  makeGroup,
  refusedWith,
  sayIn,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 3, 'rest.calls_per_second': 100_000 });
});

/** Owner, admin and a member, each new. @param {string} sdk @returns {Promise<[Client, Client, Client]>} */
const three = (sdk) =>
  /** @type {Promise<[Client, Client, Client]>} */ (
    Promise.all(['alice', 'bob', 'carol'].map((name) => server.startClient({ sdk, user: userNamed(name) })))
  );

/**
 * A group of the three: the first owns it, the second is an admin.
 *
 * @param {[Client, Client, Client]} clients
 * @param {{type?: string}} [wanted]
 */
async function groupOf([owner, admin, member], { type = TYPE.public } = {}) {
  const group = await makeGroup(server, { owner, members: [admin, member], type });
  if (type !== TYPE.work) {
    await server.restOk('group_open_http_svc/modify_group_member_info', {
      GroupId: group,
      Member_Account: admin.user,
      Role: 'Admin',
    });
  }
  return group;
}

/**
 * Says something that all others receive.
 *
 * @param {Client} from
 * @param {Client[]} to
 * @param {string} group
 * @param {string} text
 * @param {object} [message]
 */
async function said(from, to, group, text, message) {
  const sent = await sayIn(from, group, text, { message });
  for (const client of to) assert.equal((await client.message(text)).ID, sent.ID);
  return sent;
}

/** @param {Client[]} clients */
const end = (clients) => Promise.all(clients.map((client) => client.kill()));

/** @param {Client} client @param {any} message */
const confirm = (client, message) => client.call('sendMessageReadReceipt', [{ $message: message.ID }]);

/** The next counts of a message that the client is told. @param {Client} client @param {any} message */
async function told(client, message) {
  const isOf = (/** @type {any} */ receipt) => receipt.messageID === message.ID;
  const receipts = await client.next('onMessageReadReceiptReceived', (data) => data.some(isOf));
  const { groupID, readCount, unreadCount } = receipts.find(isOf);
  return { groupID, readCount, unreadCount };
}

for (const sdk of SDKS) {
  describe(`receipts in groups with ${sdk}`, () => {
    test('the sender is told on all devices how many have read, and may ask', async () => {
      const [alice, bob, carol] = await three(sdk);
      const desk = await server.startClient({ sdk, user: alice.user });
      const group = await groupOf([alice, bob, carol]);
      const sent = await said(alice, [bob, carol, desk], group, 'important', { needReadReceipt: true });
      await confirm(carol, sent);
      for (const client of [alice, desk]) {
        assert.deepEqual(await told(client, sent), { groupID: group, readCount: 1, unreadCount: 1 });
      }
      await confirm(bob, sent);
      for (const client of [alice, desk]) {
        assert.deepEqual(await told(client, sent), { groupID: group, readCount: 2, unreadCount: 0 });
      }
      const second = await said(alice, [bob, carol], group, 'and this', { needReadReceipt: true });
      for (const client of [bob, carol]) {
        const isTold = client.events.entries.some(({ name }) => name === 'onMessageReadReceiptReceived');
        assert.equal(isTold, false, 'nobody else is told');
      }
      const { data } = await alice.call('getMessageReadReceiptList', [{ $message: sent.ID }, { $message: second.ID }]);
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ { readReceiptInfo: { readCount, unreadCount } }) => [
          readCount,
          unreadCount,
        ]),
        [
          [2, 0],
          [0, 2],
        ],
      );
      await end([alice, bob, carol, desk]);
    });

    test('who has read and who has not, by page; who comes later is in no list', async () => {
      const clients = await three(sdk);
      const [alice, bob, carol] = clients;
      const group = await groupOf(clients);
      const sent = await said(alice, [bob, carol], group, 'important', { needReadReceipt: true });
      const later = userNamed('dave');
      await server.restOk('im_open_login_svc/account_import', { UserID: later });
      await server.restOk('group_open_http_svc/add_group_member', {
        GroupId: group,
        MemberList: [{ Member_Account: later }],
      });
      /** @param {number} filter @param {object} [page] */
      const detail = async (filter, page = { cursor: '', count: 50 }) =>
        (await alice.call('getGroupMessageReadMemberList', { message: { $message: sent.ID }, filter, ...page })).data;
      const first = await detail(1, { cursor: '', count: 1 });
      assert.deepEqual([first.unreadUserIDList, first.isCompleted], [[bob.user], false]);
      const second = await detail(1, { cursor: first.cursor, count: 1 });
      assert.deepEqual([second.unreadUserIDList, second.isCompleted], [[carol.user], true]);
      await confirm(carol, sent);
      await told(alice, sent);
      assert.deepEqual((await detail(0)).readUserIDList, [carol.user]);
      assert.deepEqual((await detail(1)).unreadUserIDList, [bob.user]);
      await end(clients);
    });

    test('who is gone does not count any more, and a restart loses nothing', async () => {
      const clients = await three(sdk);
      const [alice, bob, carol] = clients;
      const group = await groupOf(clients);
      const sent = await said(alice, [bob, carol], group, 'important', { needReadReceipt: true });
      await confirm(bob, sent);
      await told(alice, sent);
      await server.restart();
      await carol.call('quitGroup', group);
      const { data } = await alice.call('getMessageReadReceiptList', [{ $message: sent.ID }]);
      const [{ readReceiptInfo }] = data.messageList;
      assert.deepEqual([readReceiptInfo.readCount, readReceiptInfo.unreadCount], [1, 0]);
      await end(clients);
    });

    test('many who read at once make counts that never fall', async () => {
      const clients = await three(sdk);
      const [alice, bob, carol] = clients;
      const group = await groupOf(clients);
      const users = Array.from({ length: 40 }, () => userNamed('reader'));
      await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: users });
      await server.restOk('group_open_http_svc/add_group_member', {
        GroupId: group,
        Silence: 1,
        MemberList: users.map((user) => ({ Member_Account: user })),
      });
      const sent = await said(alice, [bob, carol], group, 'all of you', { needReadReceipt: true });
      await Promise.all(
        users.map((user) =>
          server.restOk('group_open_http_svc/group_msg_receipt', {
            GroupId: group,
            From_Account: user,
            MsgSeqList: [{ MsgSeq: sent.sequence }],
          }),
        ),
      );
      const counts = [];
      while (counts.at(-1) !== users.length) counts.push((await told(alice, sent)).readCount);
      assert.deepEqual(
        counts,
        counts.toSorted((a, b) => a - b),
      );
      await end(clients);
    });
  });
}

describe('what only the newer package has', () => {
  test('reactions are given and taken back, told to all, and listed', async () => {
    const clients = await three('chat');
    const [alice, bob, carol] = clients;
    const desk = await server.startClient({ sdk: 'chat', user: bob.user });
    const group = await groupOf(clients);
    const sent = await said(alice, [bob, carol, desk], group, 'news');
    /** The next change that the client is told. @param {Client} client */
    const changed = async (client) => {
      const { messageID, reactionList } = await client.next('onMessageReactionsUpdated');
      assert.equal(messageID, sent.ID);
      return reactionList.map((/** @type {any} */ { reactionID, totalUserCount, partialUserList }) => [
        reactionID,
        totalUserCount,
        partialUserList.map((/** @type {any} */ user) => user.userID),
      ]);
    };
    await bob.call('addMessageReaction', { $message: sent.ID }, 'smile');
    for (const client of [alice, carol, desk]) {
      assert.deepEqual(await changed(client), [['smile', 1, [bob.user]]]);
    }
    await carol.call('addMessageReaction', { $message: sent.ID }, 'smile');
    assert.deepEqual(await changed(alice), [['smile', 2, [bob.user, carol.user]]]);
    await refusedWith(carol.call('addMessageReaction', { $message: sent.ID }, 'smile'), 23007);

    const { data } = await bob.call('getMessageReactions', {
      messageList: [{ $message: sent.ID }],
      maxUserCountPerReaction: 1,
    });
    const [{ messageID, reactionList }] = data.resultList;
    assert.equal(messageID, sent.ID);
    assert.deepEqual(
      reactionList.map((/** @type {any} */ reaction) => [
        reaction.reactionID,
        reaction.totalUserCount,
        reaction.reactedByMyself,
        reaction.partialUserList.length,
      ]),
      [['smile', 2, true, 1]],
    );
    const users = await alice.call('getAllUserListOfMessageReaction', {
      message: { $message: sent.ID },
      reactionID: 'smile',
      nextSeq: 0,
      count: 100,
    });
    assert.deepEqual(
      users.data.userList.map((/** @type {any} */ user) => user.userID),
      [bob.user, carol.user],
    );
    assert.equal(users.data.isCompleted, true);

    await bob.call('removeMessageReaction', { $message: sent.ID }, 'smile');
    assert.deepEqual(await changed(alice), [['smile', 1, [carol.user]]]);
    await carol.call('removeMessageReaction', { $message: sent.ID }, 'smile');
    assert.deepEqual(await changed(alice), [['smile', 0, []]]);
    await end([...clients, desk]);
  });

  test('extensions are set, deleted and cleared, told to all, and read', async () => {
    const clients = await three('chat');
    const [alice, bob, carol] = clients;
    const desk = await server.startClient({ sdk: 'chat', user: bob.user });
    const group = await groupOf(clients);
    const sent = await said(alice, [bob, carol, desk], group, 'vote', { isSupportExtension: true });
    const message = { $message: sent.ID };
    await bob.call('setMessageExtensions', message, [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
    ]);
    for (const client of [alice, carol, desk]) {
      const { messageID, extensions } = await client.next('onMessageExtensionsUpdated');
      assert.equal(messageID, sent.ID);
      assert.deepEqual(extensions, [
        { key: 'a', value: '1' },
        { key: 'b', value: '1' },
      ]);
    }
    await carol.call('setMessageExtensions', message, [{ key: 'a', value: '2' }]);
    await alice.next('onMessageExtensionsUpdated', ({ extensions }) => extensions[0].value === '2');
    await carol.call('deleteMessageExtensions', message, ['b']);
    const deleted = await alice.next('onMessageExtensionsDeleted');
    assert.deepEqual([deleted.messageID, deleted.keyList], [sent.ID, ['b']]);
    const read = await desk.call('getMessageExtensions', message);
    assert.deepEqual(read.data.extensions, [{ key: 'a', value: '2' }]);
    await carol.call('deleteMessageExtensions', message);
    await alice.next('onMessageExtensionsDeleted', ({ messageID }) => messageID === sent.ID);
    assert.deepEqual((await desk.call('getMessageExtensions', message)).data.extensions, []);
    await end([...clients, desk]);
  });

  test('owner and admins pin messages, all are told and find them', async () => {
    const clients = await three('chat');
    const [alice, bob, carol] = clients;
    const desk = await server.startClient({ sdk: 'chat', user: bob.user });
    const group = await groupOf(clients);
    const sent = await said(carol, [alice, bob, desk], group, 'rules');
    const pin = { groupID: group, message: { $message: sent.ID }, isPinned: true };
    await refusedWith(carol.call('pinGroupMessage', pin), 10007);
    await bob.call('pinGroupMessage', pin);
    for (const client of [alice, bob, carol, desk]) {
      const { groupID, message, isPinned, operatorInfo } = await client.next('onPinnedGroupMessageUpdated');
      assert.deepEqual([groupID, message.ID, isPinned, operatorInfo.userID], [group, sent.ID, true, bob.user]);
      assert.equal(message.payload.text, 'rules');
    }
    await refusedWith(alice.call('pinGroupMessage', pin), 10071);
    const { data } = await carol.call('getPinnedGroupMessageList', group);
    assert.deepEqual(
      data.messageList.map((/** @type {any} */ message) => [message.ID, message.pinnerInfo.userID]),
      [[sent.ID, bob.user]],
    );
    await alice.call('pinGroupMessage', { ...pin, isPinned: false });
    for (const client of [alice, bob, carol, desk]) {
      const { groupID, message, isPinned, operatorInfo } = await client.next('onPinnedGroupMessageUpdated');
      assert.deepEqual([groupID, message.ID, isPinned, operatorInfo.userID], [group, sent.ID, false, alice.user]);
    }
    assert.deepEqual((await carol.call('getPinnedGroupMessageList', group)).data.messageList, []);
    await carol.conversationWhere({ group }, (item) => item.lastMessage.payload.text === 'rules');
    await end([...clients, desk]);
  });

  test('a client and a member that have just come find what is pinned', async () => {
    const clients = await three('chat');
    const [alice, bob, carol] = clients;
    const group = await groupOf(clients);
    const sent = await said(alice, [bob, carol], group, 'rules');
    await alice.call('pinGroupMessage', { groupID: group, message: { $message: sent.ID }, isPinned: true });
    await bob.kill();
    const again = await server.startClient({ sdk: 'chat', user: bob.user });
    await knows(again, group);
    const { data } = await again.call('getPinnedGroupMessageList', group);
    assert.deepEqual(
      data.messageList.map((/** @type {any} */ message) => [message.ID, message.payload.text]),
      [[sent.ID, 'rules']],
    );

    const dave = await server.startClient({ sdk: 'chat', user: userNamed('dave') });
    await server.restOk('group_open_http_svc/add_group_member', {
      GroupId: group,
      MemberList: [{ Member_Account: dave.user }],
    });
    await knows(dave, group);
    const later = await dave.call('getPinnedGroupMessageList', group);
    assert.deepEqual(
      later.data.messageList.map((/** @type {any} */ message) => message.payload.text),
      ['rules'],
      'what was pinned before one came',
    );
    await end([alice, again, carol, dave]);
  });
});
