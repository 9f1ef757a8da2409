/** What was sent while a user was away is there after the next login, once, and is counted. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

for (const sdk of SDKS) {
  describe(`offline messages with ${sdk}`, () => {
    test('a user who never logged in finds all that was sent to him', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const carol = await server.startClient({ sdk, user: userNamed('carol') });
      const bob = userNamed('bob');
      await server.restOk('im_open_login_svc/account_import', { UserID: bob });
      for (const text of ['one', 'two', 'three']) await alice.sendText(bob, text);
      await carol.sendText(bob, 'and I');

      const client = await server.startClient({ sdk, user: bob });
      await client.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 3);
      await client.conversationWhere(carol.user, (conversation) => conversation?.unreadCount === 1);
      assert.equal(await client.call('getTotalUnreadMessageCount'), 4);
      const { data } = await client.call('getMessageList', { conversationID: `C2C${alice.user}` });
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ m) => m.payload.text),
        ['one', 'two', 'three'],
      );
      assert.deepEqual(client.received.entries, [], 'what was missed is no news: it is in list and history');
      await Promise.all([alice, carol, client].map((each) => each.kill()));
    });

    test('after a logout messages wait; the next login finds them, and live ones follow', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      await bob.call('setMessageRead', { conversationID: `C2C${alice.user}` });
      await bob.call('logout');
      await alice.sendText(bob.user, 'away 1');
      await alice.sendText(bob.user, 'away 2');

      const again = await server.startClient({ sdk, user: bob.user });
      await again.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 2);
      await alice.sendText(bob.user, 'live');
      await again.message('live');
      await again.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 3);
      const { data } = await again.call('getMessageList', { conversationID: `C2C${alice.user}` });
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ m) => m.payload.text),
        ['before', 'away 1', 'away 2', 'live'],
      );
      assert.deepEqual(bob.timesReceived('away 1'), 0, 'after a logout nothing arrives');
      assert.deepEqual(
        again.received.entries.map((m) => m.payload.text),
        ['live'],
      );
      await Promise.all([alice, bob, again].map((each) => each.kill()));
    });

    test('messages by REST wait as well', async () => {
      const [from, to] = [userNamed('from'), userNamed('to')];
      await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
      await server.restOk('openim/sendmsg', {
        From_Account: from,
        To_Account: to,
        MsgRandom: 3,
        MsgBody: [{ MsgType: 'TIMCustomElem', MsgContent: { Data: 'd', Desc: '', Ext: '' } }],
      });
      const client = await server.startClient({ sdk, user: to });
      const conversation = await client.conversationWhere(from, (item) => item?.unreadCount === 1);
      assert.equal(conversation.lastMessage.type, 'TIMCustomElem');
      assert.equal(conversation.lastMessage.payload.data, 'd');
      await client.kill();
    });
  });
}
