/** The conversation list, unread counts and read marks. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'rest.calls_per_second': 100_000 }); // A long list is filled by REST.
});

/** @param {import('./harness/client.js').Client} client @param {string} peer */
const readAll = (client, peer) => client.call('setMessageRead', { conversationID: `C2C${peer}` });

/** @param {import('./harness/client.js').Client} client */
const listOf = async (client) => (await client.call('getConversationList')).data.conversationList;

let randoms = 0;
/** @param {string} from @param {string} to @param {string} text @param {object} [more] */
function sendByRest(from, to, text, more) {
  randoms += 1;
  return server.restOk('openim/sendmsg', {
    From_Account: from,
    To_Account: to,
    MsgSeq: randoms,
    MsgRandom: randoms,
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
    ...more,
  });
}

for (const sdk of SDKS) {
  describe(`conversations with ${sdk}`, () => {
    /** @type {import('./harness/client.js').Client} */ let alice;
    /** @type {import('./harness/client.js').Client} */ let bob;

    /** Two clients that never met. */
    async function strangers() {
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      bob = await server.startClient({ sdk, user: userNamed('bob') });
    }

    test('reading clears the count for good and tells the sender', async () => {
      await strangers();
      for (const text of ['one', 'two', 'three']) await alice.sendText(bob.user, text);
      await bob.message('three');
      const unread = await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 3);
      assert.equal(unread.lastMessage.payload.text, 'three');
      await bob.next('onTotalUnreadMessageCountUpdated', (total) => total === 3);
      assert.equal(await bob.call('getTotalUnreadMessageCount'), 3);

      await readAll(bob, alice.user);
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 0);
      /** @type {string[]} */
      const read = [];
      while (read.length < 3) {
        const messages = await alice.next('onMessageReadByPeer');
        for (const message of messages) {
          assert.equal(message.isPeerRead, true);
          read.push(message.payload.text);
        }
      }
      assert.deepEqual(read.sort(), ['one', 'three', 'two']);

      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      assert.equal((await again.conversation(alice.user)).unreadCount, 0);
      await again.kill();
      await alice.kill();
      const sender = await server.startClient({ sdk, user: alice.user });
      assert.equal(
        (await sender.conversation(bob.user)).lastMessage.isPeerRead,
        true,
        'the read time is known after a new login',
      );
      const { data } = await sender.call('getMessageList', { conversationID: `C2C${bob.user}` });
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ m) => m.isPeerRead),
        [true, true, true],
      );
      await sender.kill();
    });

    test('what was not read is still unread after a new login, and one more message makes it one more', async () => {
      await strangers();
      for (const text of ['one', 'two']) await alice.sendText(bob.user, text);
      await bob.message('two');
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      await again.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 2);
      await alice.sendText(bob.user, 'three');
      await again.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 3);
      await readAll(again, alice.user);
      await again.kill();
      await alice.sendText(bob.user, 'four');
      const later = await server.startClient({ sdk, user: bob.user });
      await later.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 1);
      await later.kill();
      await alice.kill();
    });

    test("one's own messages are never unread", async () => {
      await strangers();
      await alice.sendText(bob.user, 'to bob');
      await bob.message('to bob');
      await readAll(bob, alice.user);
      await bob.sendText(alice.user, 'to alice');
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      const conversation = await again.conversation(alice.user);
      assert.equal(conversation.unreadCount, 0);
      assert.equal(conversation.lastMessage.payload.text, 'to alice');
      assert.equal(conversation.lastMessage.fromAccount, bob.user);
      await again.kill();
      await alice.kill();
    });

    test('a message may be left out of the count, and out of the last message', async () => {
      await strangers();
      await alice.sendText(bob.user, 'plain');
      await alice.sendText(bob.user, 'uncounted', {
        options: { messageControlInfo: { excludedFromUnreadCount: true } },
      });
      await alice.sendText(bob.user, 'in the background', {
        options: { messageControlInfo: { excludedFromLastMessage: true } },
      });
      await bob.message('in the background');
      const live = await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 2);
      assert.equal(live.lastMessage.payload.text, 'uncounted');
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      const stored = await again.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 2);
      assert.equal(stored.lastMessage.payload.text, 'uncounted');
      const { data } = await again.call('getMessageList', { conversationID: `C2C${alice.user}` });
      assert.equal(data.messageList.length, 3);
      await again.kill();
      await alice.kill();
    });

    test('REST can leave a message out of both as well', async () => {
      const [from, to] = [userNamed('from'), userNamed('to')];
      await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
      await sendByRest(from, to, 'plain');
      await sendByRest(from, to, 'silent', { SendMsgControl: ['NoUnread', 'NoLastMsg'] });
      const client = await server.startClient({ sdk, user: to });
      const conversation = await client.conversationWhere(from, (item) => item?.unreadCount === 1);
      assert.equal(conversation.lastMessage.payload.text, 'plain');
      await client.kill();
    });

    test('a deleted conversation is gone with its history, here and in REST, until somebody writes again', async () => {
      await strangers();
      await alice.sendText(bob.user, 'old');
      await bob.message('old');
      await bob.call('deleteConversation', `C2C${alice.user}`);
      assert.equal(await bob.conversation(alice.user), undefined);
      await bob.kill();

      const again = await server.startClient({ sdk, user: bob.user });
      assert.equal(await again.conversation(alice.user), undefined);
      const cursors = { TimeStamp: 0, StartIndex: 0, TopTimeStamp: 0, TopStartIndex: 0, AssistFlags: 7 };
      const bobs = await server.restOk('recentcontact/get_list', { From_Account: bob.user, ...cursors });
      assert.deepEqual(bobs.SessionItem, []);
      const alices = await server.restOk('recentcontact/get_list', { From_Account: alice.user, ...cursors });
      assert.deepEqual(
        alices.SessionItem.map((/** @type {any} */ item) => item.To_Account),
        [bob.user],
        'one-sided',
      );

      await alice.sendText(bob.user, 'new');
      const back = await again.conversationWhere(alice.user, (conversation) => conversation !== undefined);
      assert.equal(back.unreadCount, 1);
      await again.kill();
      const third = await server.startClient({ sdk, user: bob.user });
      await third.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 1);
      const { data } = await third.call('getMessageList', { conversationID: `C2C${alice.user}` });
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ m) => m.payload.text),
        ['new'],
      );
      const { data: hers } = await alice.call('getMessageList', { conversationID: `C2C${bob.user}` });
      assert.deepEqual(
        hers.messageList.map((/** @type {any} */ m) => m.payload.text),
        ['old', 'new'],
      );
      await third.kill();
      await alice.kill();
    });

    test('a conversation deleted by REST without its history comes back with all of it', async () => {
      const [from, to] = [userNamed('from'), userNamed('to')];
      await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
      await sendByRest(from, to, 'old');
      await server.restOk('recentcontact/delete', { From_Account: to, Type: 1, To_Account: from, ClearRamble: 0 });
      const client = await server.startClient({ sdk, user: to });
      assert.equal(await client.conversation(from), undefined);
      await sendByRest(from, to, 'new');
      await client.conversationWhere(from, (conversation) => conversation !== undefined);
      const { data } = await client.call('getMessageList', { conversationID: `C2C${from}` });
      assert.deepEqual(
        data.messageList.map((/** @type {any} */ m) => m.payload.text),
        ['old', 'new'],
      );
      await client.kill();
    });

    test('a long list comes in pages, newest first, each conversation once', async () => {
      const owner = userNamed('popular');
      const peers = Array.from({ length: 130 }, (_, index) => userNamed(`peer${index}`));
      const accounts = [owner, ...peers].map((UserID) => ({ UserID }));
      for (let start = 0; start < accounts.length; start += 100) {
        const AccountList = accounts.slice(start, start + 100);
        await server.restOk('im_open_login_svc/multiaccount_import', { AccountList });
      }
      for (const peer of peers) await sendByRest(peer, owner, `from ${peer}`);

      const client = await server.startClient({ sdk, user: owner });
      await client.conversationWhere(peers[0], (conversation) => conversation?.unreadCount === 1);
      const list = await listOf(client);
      assert.deepEqual(list.map((/** @type {any} */ item) => item.userProfile.userID).sort(), [...peers].sort());
      const times = list.map((/** @type {any} */ item) => item.lastMessage.lastTime);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
      for (const item of list) assert.equal(item.unreadCount, 1);
      await client.kill();
    });
  });
}
