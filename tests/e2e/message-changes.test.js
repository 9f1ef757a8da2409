/** What becomes of one-to-one messages: withdrawn, modified, deleted, confirmed, extended, reacted to. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  cleanUpAfterwards,
  nowSeconds,
  refusedWith,
  startProxy,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2, 'rest.calls_per_second': 100_000 });
});

/** @typedef {import('./harness/client.js').Client} Client */

/** @param {Client} client @param {string} peer */
const history = async (client, peer) =>
  (await client.call('getMessageList', { conversationID: `C2C${peer}` })).data.messageList;

/** The first message of the next event of that name which has this ID. @param {Client} client @param {string} event @param {string} id */
async function shown(client, event, id) {
  const messages = await client.next(event, (data) => data.some((/** @type {any} */ m) => m.ID === id));
  return messages.find((/** @type {any} */ m) => m.ID === id);
}

/** The key by which REST names a message. @param {any} message */
const keyOf = ({ sequence, clientSequence, random, time }) => `${clientSequence || sequence}_${random}_${time}`;

/** @param {Client} from @param {Client} to @param {any} message */
const withdrawByRest = (from, to, message) =>
  server.restOk('openim/admin_msgwithdraw', {
    From_Account: from.user,
    To_Account: to.user,
    MsgKey: keyOf(message),
  });

for (const sdk of SDKS) {
  describe(`changed messages with ${sdk}`, () => {
    /** @type {Client} */ let alice;
    /** @type {Client} */ let bob;

    /** Two clients that never met. */
    async function strangers() {
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      bob = await server.startClient({ sdk, user: userNamed('bob') });
    }

    /** @param {string} text @param {object} [message] */
    async function said(text, message) {
      const sent = await alice.sendText(bob.user, text, { message });
      const received = await bob.message(text);
      assert.equal(received.ID, sent.ID);
      return sent;
    }

    describe('withdrawing', () => {
      test('both sides and all devices see it, now and after a new login', async () => {
        await strangers();
        const desk = await server.startClient({ sdk, user: alice.user });
        const sent = await said('oops');
        await desk.message('oops');
        await alice.call('revokeMessage', { $message: sent.ID });
        for (const client of [bob, desk]) {
          const message = await shown(client, 'onMessageRevoked', sent.ID);
          assert.equal(message.isRevoked, true);
          assert.equal(message.revoker, alice.user);
        }
        await bob.conversationWhere(alice.user, (conversation) => conversation.lastMessage.isRevoked === true);
        for (const client of [bob, desk]) await client.kill();

        const again = await server.startClient({ sdk, user: bob.user });
        const conversation = await again.conversation(alice.user);
        assert.equal(conversation.lastMessage.isRevoked, true);
        const [stored] = await history(again, alice.user);
        assert.equal(stored.ID, sent.ID);
        assert.equal(stored.isRevoked, true);
        assert.doesNotMatch(JSON.stringify(again.frames.entries), /oops/, 'its content is gone');
        for (const client of [again, alice]) await client.kill();
      });

      test('an unread one does not count any more', async () => {
        await strangers();
        await said('one');
        const sent = await said('two');
        await said('three');
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 3);
        await alice.call('revokeMessage', { $message: sent.ID });
        await shown(bob, 'onMessageRevoked', sent.ID);
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 2);
        await bob.kill();
        const again = await server.startClient({ sdk, user: bob.user });
        await again.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 2);
        await again.call('setMessageRead', { conversationID: `C2C${alice.user}` });
        await again.kill();
        const third = await server.startClient({ sdk, user: bob.user });
        assert.equal((await third.conversation(alice.user)).unreadCount, 0);
        for (const client of [third, alice]) await client.kill();
      });

      test('an administrator may at any time, a sender only in time, and once', async () => {
        await strangers();
        const [first, second] = [await said('first'), await said('second')];
        await server.set({ 'c2c.withdraw_s': 0 });
        await server.past(second.time);
        await refusedWith(alice.call('revokeMessage', { $message: second.ID }), 20016);
        await withdrawByRest(alice, bob, first);
        await shown(bob, 'onMessageRevoked', first.ID);
        await shown(alice, 'onMessageRevoked', first.ID);
        await server.set({ 'c2c.withdraw_s': 120 });
        await alice.call('revokeMessage', { $message: second.ID });
        await shown(bob, 'onMessageRevoked', second.ID);
        for (const client of [alice, bob]) await client.kill();
      });
    });

    describe('modifying', () => {
      test('both sides have the new text, now and after a new login', async () => {
        await strangers();
        const desk = await server.startClient({ sdk, user: alice.user });
        const sent = await said('helo');
        await desk.message('helo');
        const modified = await alice.modify(sent, { payload: { text: 'hello' }, cloudCustomData: 'corrected' });
        assert.equal(modified.payload.text, 'hello');
        for (const client of [bob, desk]) {
          const message = await shown(client, 'onMessageModified', sent.ID);
          assert.deepEqual([message.payload.text, message.cloudCustomData], ['hello', 'corrected']);
        }
        await bob.conversationWhere(alice.user, ({ lastMessage }) => lastMessage.payload.text === 'hello');
        await bob.kill();
        const again = await server.startClient({ sdk, user: bob.user });
        const conversation = await again.conversation(alice.user);
        assert.equal(conversation.lastMessage.payload.text, 'hello');
        assert.equal(conversation.unreadCount, 1);
        const [stored] = await history(again, alice.user);
        assert.deepEqual([stored.payload.text, stored.cloudCustomData], ['hello', 'corrected']);
        for (const client of [again, desk, alice]) await client.kill();
      });

      test('the receiver may, too; who has seen an older version gets the present one', async () => {
        await strangers();
        const sent = await said('draft');
        const seen = bob.received.entries.find(({ ID }) => ID === sent.ID);
        await server.restOk('openim/modify_c2c_msg', {
          From_Account: alice.user,
          To_Account: bob.user,
          MsgKey: keyOf(sent),
          CloudCustomData: 'by the backend',
        });
        await shown(bob, 'onMessageModified', sent.ID);
        await bob.modify(seen, { payload: { text: 'second draft' } });
        const message = await shown(alice, 'onMessageModified', sent.ID);
        assert.ok(message);
        await alice.next('onMessageModified', ([m]) => m.payload.text === 'second draft');

        const raw = await server.openRaw();
        await raw.login(bob.user);
        const [stored] = (await raw.ask('openim.getroammsg', { Peer_Account: alice.user, MaxCnt: 1 })).MsgList;
        const conflict = await raw.ask('openim.modify_c2c_msg', {
          From_Account: alice.user,
          To_Account: bob.user,
          MsgSeq: stored.MsgSeq,
          MsgRandom: stored.MsgRandom,
          MsgTime: stored.MsgTimeStamp,
          MsgVersion: 1,
          MsgBody: stored.MsgBody,
        });
        assert.deepEqual([conflict.ErrorCode, conflict.MsgVersion], [20027, 2]);
        assert.equal(conflict.MsgBody[0].MsgContent.Text, 'second draft');
        await raw.close();
        for (const client of [alice, bob]) await client.kill();
      });
    });

    test('a message deleted by one side stays with the other, and the list shows the one before', async () => {
      await strangers();
      await said('keep');
      const sent = await said('delete');
      const received = bob.received.entries.find(({ ID }) => ID === sent.ID);
      await bob.call('deleteMessage', [{ $message: received.ID }]);
      await bob.conversationWhere(alice.user, ({ lastMessage }) => lastMessage.payload.text === 'keep');
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      const conversation = await again.conversation(alice.user);
      assert.equal(conversation.lastMessage.payload.text, 'keep');
      assert.equal(conversation.unreadCount, 1);
      assert.deepEqual(
        (await history(again, alice.user)).map((/** @type {any} */ m) => m.payload.text),
        ['keep'],
      );
      await alice.kill();
      const sender = await server.startClient({ sdk, user: alice.user });
      assert.equal((await history(sender, bob.user)).length, 2);
      for (const client of [again, sender]) await client.kill();
    });

    test('a cleared history is empty, and the conversation stays', async () => {
      await strangers();
      await said('old');
      await bob.call('clearHistoryMessage', `C2C${alice.user}`);
      await bob.kill();
      const again = await server.startClient({ sdk, user: bob.user });
      const conversation = await again.conversation(alice.user);
      assert.equal(conversation.unreadCount, 0);
      assert.deepEqual(await history(again, alice.user), []);
      assert.equal((await history(alice, bob.user)).length, 1);
      for (const client of [again, alice]) await client.kill();
    });

    test('a receipt tells the sender on all devices, and the history keeps it', async () => {
      await strangers();
      const desk = await server.startClient({ sdk, user: alice.user });
      const sent = await said('important', { needReadReceipt: true });
      await desk.message('important');
      await bob.call('sendMessageReadReceipt', [{ $message: sent.ID }]);
      for (const client of [alice, desk]) {
        const [receipt] = await client.next('onMessageReadReceiptReceived');
        assert.equal(receipt.messageID, sent.ID);
        assert.equal(receipt.isPeerRead, true);
      }
      await alice.kill();
      const again = await server.startClient({ sdk, user: alice.user });
      const [stored] = await history(again, bob.user);
      assert.equal(stored.readReceiptInfo.isPeerRead, true);
      for (const client of [again, desk, bob]) await client.kill();
    });

    test('extensions are set by both sides, told at once, and a lost race is answered with what is there', async () => {
      await strangers();
      const sent = await said('vote!', { isSupportExtension: true });
      const set = (/** @type {Client} */ client, /** @type {string} */ value) =>
        client.call('setMessageExtensions', { $message: sent.ID }, [{ key: 'answer', value }]);
      await set(bob, 'yes');
      const updated = await alice.next('onMessageExtensionsUpdated');
      assert.equal(updated.messageID, sent.ID);
      assert.deepEqual(updated.extensions, [{ key: 'answer', value: 'yes' }]);
      const answer = await alice.call('getMessageExtensions', { $message: sent.ID });
      assert.deepEqual(
        answer.data.extensions.map((/** @type {any} */ { key, value }) => [key, value]),
        [['answer', 'yes']],
      );
      const raw = await server.openRaw();
      await raw.login(bob.user);
      const race = await raw.ask('openim_msg_ext_http_svc.set_key_values', {
        From_Account: alice.user,
        To_Account: bob.user,
        MsgKey: keyOf(sent),
        OperateType: 1,
        ExtensionList: [{ Key: 'answer', Value: 'no', Seq: 0 }],
      });
      assert.deepEqual(race.ExtensionList, [
        { ErrorCode: 23001, Extension: { Key: 'answer', Value: 'yes', Seq: 1 } },
      ]);
      await raw.close();
      await bob.call('deleteMessageExtensions', { $message: sent.ID }, ['answer']);
      const deleted = await alice.next('onMessageExtensionsDeleted');
      assert.deepEqual(deleted.keyList, ['answer']);
      for (const client of [alice, bob]) await client.kill();
    });

    describe('while a device was away', () => {
      /** @type {import('./harness/proxy.js').Proxy} */ let proxy;

      /** Bob is behind a proxy. */
      async function pair() {
        proxy = await startProxy(server);
        alice = await server.startClient({ sdk, user: userNamed('alice') });
        bob = await server.startClient({ sdk, user: userNamed('bob'), through: proxy });
        await server.connectionsAged();
      }

      /** Ends the network of Bob for as long as `meanwhile` takes, and waits until he has caught up. @param {() => Promise<any>} meanwhile */
      async function withoutNetwork(meanwhile) {
        const isFetch = (/** @type {any} */ { direction, frame }) =>
          direction === 'in' && frame.head.servcmd === 'openim.getmsg';
        const fetches = bob.frames.entries.filter(isFetch).length;
        proxy.hold();
        await meanwhile();
        proxy.release();
        await bob.frames.atLeast(fetches + 1, isFetch, { what: 'reply to openim.getmsg after the reconnect' });
      }

      test('a message that it knew was withdrawn: it learns that, and counts right', async () => {
        await pair();
        const [first] = [await said('first'), await said('second')];
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 2);
        await withoutNetwork(() => alice.call('revokeMessage', { $message: first.ID }));
        const message = await shown(bob, 'onMessageRevoked', first.ID);
        assert.equal(message.isRevoked, true);
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 1);
        for (const client of [alice, bob]) await client.kill();
      });

      test('one that it had read: it learns that, and counts only what is new', async () => {
        await pair();
        const first = await said('first');
        await bob.call('setMessageRead', { conversationID: `C2C${alice.user}` });
        await server.past(first.time);
        await withoutNetwork(async () => {
          await alice.sendText(bob.user, 'new');
          await alice.call('revokeMessage', { $message: first.ID });
        });
        await shown(bob, 'onMessageRevoked', first.ID);
        await bob.message('new');
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 1);
        for (const client of [alice, bob]) await client.kill();
      });

      test('one that it never saw comes as withdrawn and does not count', async () => {
        await pair();
        await said('first');
        /** @type {any} */ let gone;
        await withoutNetwork(async () => {
          // In a later second than the last that was heard of Bob: what he cannot have seen.
          await server.past(nowSeconds());
          gone = await alice.sendText(bob.user, 'gone');
          await alice.sendText(bob.user, 'stays');
          await alice.call('revokeMessage', { $message: gone.ID });
        });
        await bob.message('stays');
        await shown(bob, 'onMessageRevoked', gone.ID);
        await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 2);
        assert.doesNotMatch(JSON.stringify(bob.frames.entries), /"gone"/, 'its content is gone');
        for (const client of [alice, bob]) await client.kill();
      });

      test('messages were modified: what it knew changes, what it never saw comes as it is now', async () => {
        await pair();
        const known = await said('knwon');
        await withoutNetwork(async () => {
          await alice.modify(known, { payload: { text: 'known' } });
          const unseen = await alice.sendText(bob.user, 'unsene');
          await alice.modify(unseen, { payload: { text: 'unseen' } });
        });
        const message = await shown(bob, 'onMessageModified', known.ID);
        assert.equal(message.payload.text, 'known');
        await bob.message('unseen');
        assert.equal(bob.timesReceived('unsene'), 0);
        await bob.conversationWhere(alice.user, ({ lastMessage }) => lastMessage.payload.text === 'unseen');
        for (const client of [alice, bob]) await client.kill();
      });

      test('its own message was confirmed as read', async () => {
        await pair();
        const sent = await bob.sendText(alice.user, 'important', { message: { needReadReceipt: true } });
        await alice.message('important');
        await withoutNetwork(() => alice.call('sendMessageReadReceipt', [{ $message: sent.ID }]));
        const [receipt] = await bob.next('onMessageReadReceiptReceived');
        assert.deepEqual([receipt.messageID, receipt.isPeerRead], [sent.ID, true]);
        for (const client of [alice, bob]) await client.kill();
      });
    });
  });
}

test('reactions are given and taken back, told at once, and listed', async () => {
  const alice = await server.startClient({ sdk: 'chat', user: userNamed('alice') });
  const bob = await server.startClient({ sdk: 'chat', user: userNamed('bob') });
  const sent = await alice.sendText(bob.user, 'news');
  await bob.message('news');
  await bob.call('addMessageReaction', { $message: sent.ID }, 'smile');
  const added = await alice.next('onMessageReactionsUpdated');
  assert.equal(added.messageID, sent.ID);
  assert.deepEqual(
    added.reactionList.map((/** @type {any} */ r) => [r.reactionID, r.totalUserCount, r.partialUserList[0].userID]),
    [['smile', 1, bob.user]],
  );
  await alice.call('addMessageReaction', { $message: sent.ID }, 'smile');
  const { data } = await bob.call('getMessageReactions', {
    messageList: [{ $message: sent.ID }],
    maxUserCountPerReaction: 5,
  });
  const [reaction] = data.resultList[0].reactionList;
  assert.deepEqual([reaction.reactionID, reaction.totalUserCount, reaction.reactedByMyself], ['smile', 2, true]);
  const users = await alice.call('getAllUserListOfMessageReaction', {
    message: { $message: sent.ID },
    reactionID: 'smile',
    nextSeq: 0,
    count: 100,
  });
  assert.deepEqual(
    users.data.userList.map((/** @type {any} */ user) => user.userID).sort(),
    [alice.user, bob.user].sort(),
  );
  await alice.call('removeMessageReaction', { $message: sent.ID }, 'smile');
  await bob.next('onMessageReactionsUpdated', ({ reactionList }) => reactionList[0].totalUserCount === 1);
  await bob.call('removeMessageReaction', { $message: sent.ID }, 'smile');
  await alice.next('onMessageReactionsUpdated', ({ reactionList }) => reactionList[0].totalUserCount === 0);
  for (const client of [alice, bob]) await client.kill();
});
