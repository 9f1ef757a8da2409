/** What becomes of group messages: recalled, modified, deleted by one member, hidden from all; also while a device was away. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  historyOf,
  makeGroup,
  nowSeconds,
  refusedWith,
  sayIn,
  startProxy,
  startServer,
  textsOfHistory,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({
    'login.policy': 'multi',
    'login.web_instances': 3,
    'rest.calls_per_second': 100_000,
    'group.messages_per_second': 100_000,
  });
});

/** The message of the next event of that name that has this ID. @param {Client} client @param {string} event @param {string} id */
async function shown(client, event, id) {
  const messages = await client.next(event, (data) => data.some((/** @type {any} */ m) => m.ID === id));
  return messages.find((/** @type {any} */ m) => m.ID === id);
}

/** @param {Client} client @param {string} group @param {number} count */
const unreadIs = (client, group, count) => client.conversationWhere({ group }, (item) => item?.unreadCount === count);

/** @param {string} group @param {any[]} messages @param {object} [more] */
const recallByRest = (group, messages, more) =>
  server.restOk('group_open_http_svc/group_msg_recall', {
    GroupId: group,
    MsgSeqList: messages.map(({ sequence }) => ({ MsgSeq: sequence })),
    ...more,
  });

/** Ends a device for good: one that is only killed keeps its place among the devices of its user for a while. @param {Client} client */
async function signOut(client) {
  await client.call('logout');
  await client.kill();
}

for (const sdk of SDKS) {
  describe(`changed group messages with ${sdk}`, () => {
    /** @type {Client} */ let owner;
    /** @type {Client} */ let alice;
    /** @type {Client} */ let bob;
    /** @type {string} */ let group;

    before(async () => {
      [owner, alice, bob] = await Promise.all(
        ['owner', 'alice', 'bob'].map((name) => server.startClient({ sdk, user: userNamed(name) })),
      );
    });

    /** @param {string} [type] */
    async function fresh(type) {
      group = await makeGroup(server, { owner, members: [alice, bob], type });
    }

    /** @param {string} text @param {Client} [from] */
    async function said(text, from = alice) {
      const sent = await sayIn(from, group, text);
      const others = [owner, alice, bob].filter((client) => client !== from);
      await Promise.all(others.map((client) => client.message((message) => message.ID === sent.ID)));
      return sent;
    }

    for (const type of [TYPE.public, TYPE.community]) {
      test(`recalled by its sender: all devices see it, now and after a new login (${type})`, async () => {
        await fresh(type);
        const desk = await server.startClient({ sdk, user: alice.user });
        const sent = await said('oops');
        await desk.message((message) => message.ID === sent.ID);
        await alice.call('revokeMessage', { $message: sent.ID });
        for (const client of [owner, bob, desk]) {
          const message = await shown(client, 'onMessageRevoked', sent.ID);
          assert.equal(message.isRevoked, true);
          assert.equal(message.revoker, alice.user);
        }
        await bob.conversationWhere({ group }, (item) => item.lastMessage.isRevoked === true);
        await signOut(desk);

        const again = await server.startClient({ sdk, user: bob.user });
        await again.conversationWhere({ group }, (item) => item?.lastMessage.isRevoked === true);
        const { messages } = await historyOf(again, group);
        assert.deepEqual(
          messages.map((message) => [message.ID, message.isRevoked]),
          [[sent.ID, true]],
        );
        assert.doesNotMatch(JSON.stringify(again.frames.entries), /oops/, 'its content is gone');
        await signOut(again);
      });
    }

    test('an unread one does not count any more, neither here nor after a new login', async () => {
      await fresh();
      const texts = [];
      for (const text of ['one', 'two', 'three']) texts.push(await said(text));
      await unreadIs(bob, group, 3);
      await recallByRest(group, [texts[0], texts[1]]);
      await shown(bob, 'onMessageRevoked', texts[0].ID);
      await unreadIs(bob, group, 1);
      const again = await server.startClient({ sdk, user: bob.user });
      await unreadIs(again, group, 1);
      await signOut(again);
      await bob.call('setMessageRead', { conversationID: conversationID({ group }) });
      await unreadIs(bob, group, 0);
      const third = await server.startClient({ sdk, user: bob.user });
      await unreadIs(third, group, 0);
      await signOut(third);
    });

    test('recalls that come close together are each taken off once', async () => {
      await fresh();
      const sent = [];
      for (let index = 0; index < 12; index += 1) sent.push(await said(`message ${index}`));
      await unreadIs(bob, group, 12);
      await Promise.all(sent.slice(0, 10).map((message) => recallByRest(group, [message])));
      for (const message of sent.slice(0, 10)) await shown(bob, 'onMessageRevoked', message.ID);
      await unreadIs(bob, group, 2);
    });

    test('who may: members their own in time, owner and admins those of others, backends any', async () => {
      await fresh();
      const admin = { GroupId: group, Member_Account: bob.user, Role: 'Admin' };
      await server.restOk('group_open_http_svc/modify_group_member_info', admin);
      const [first, second, third] = [await said('first'), await said('second'), await said('third')];
      await server.set({ 'group.recall_s': 0 });
      await server.past(third.time);
      await refusedWith(alice.call('revokeMessage', { $message: first.ID }), 10031);
      const seen = (/** @type {Client} */ client, /** @type {any} */ message) => ({ $message: message.ID });
      await owner.call('revokeMessage', seen(owner, first));
      await bob.call('revokeMessage', seen(bob, second));
      await recallByRest(group, [third]);
      for (const [message, by] of [[first, owner.user], [second, bob.user], [third, 'administrator']]) {
        assert.equal((await shown(alice, 'onMessageRevoked', message.ID)).revoker, by);
      }
      await server.set({ 'group.recall_s': 120 });
      const own = await said('of the owner', owner);
      await refusedWith(alice.call('revokeMessage', { $message: own.ID }), 10007);
      await server.set({ 'group.recall_enabled': 'off' });
      await refusedWith(owner.call('revokeMessage', { $message: own.ID }), 10041);
      await server.set({ 'group.recall_enabled': 'on' });
    });

    test('modified by any member: all have the new text, now and after a new login', async () => {
      await fresh();
      const desk = await server.startClient({ sdk, user: alice.user });
      const sent = await said('helo');
      await desk.message((message) => message.ID === sent.ID);
      const modified = await alice.modify(sent, { payload: { text: 'hello' }, cloudCustomData: 'corrected' });
      assert.equal(modified.payload.text, 'hello');
      for (const client of [owner, bob, desk]) {
        const message = await shown(client, 'onMessageModified', sent.ID);
        assert.deepEqual([message.payload.text, message.cloudCustomData], ['hello', 'corrected']);
      }
      await bob.conversationWhere({ group }, (item) => item.lastMessage.payload.text === 'hello');
      await bob.modify({ ID: sent.ID }, { payload: { text: 'hello all' } });
      // What she has modified herself is told, too.
      await alice.next('onMessageModified', ([message]) => message.payload.text === 'hello all');
      await signOut(desk);
      const again = await server.startClient({ sdk, user: owner.user });
      await again.conversationWhere({ group }, (item) => item?.lastMessage.payload.text === 'hello all');
      assert.deepEqual(await textsOfHistory(again, group), ['hello all']);
      await unreadIs(again, group, 1);
      await signOut(again);
    });

    test('a message deleted by one member stays with the others, and his list shows the one before', async () => {
      await fresh();
      await said('keep');
      const sent = await said('delete');
      await bob.call('deleteMessage', [{ $message: sent.ID }]);
      await bob.conversationWhere({ group }, (item) => item.lastMessage.payload.text === 'keep');
      const again = await server.startClient({ sdk, user: bob.user });
      await again.conversationWhere(
        { group },
        (item) => item?.lastMessage.payload.text === 'keep' && item.unreadCount === 1,
      );
      assert.deepEqual(await textsOfHistory(again, group), ['keep']);
      assert.deepEqual(await textsOfHistory(owner, group), ['keep', 'delete']);
      await signOut(again);
    });

    test('a history that its member clears, or the backend, is empty from then on', async () => {
      await fresh();
      await said('old');
      await bob.call('clearHistoryMessage', conversationID({ group }));
      const again = await server.startClient({ sdk, user: bob.user });
      await unreadIs(again, group, 0);
      assert.deepEqual(await textsOfHistory(again, group), []);
      await signOut(again);
      await said('new');
      await server.restOk('group_open_http_svc/clear_group_msg', { GroupId: group, MsgSeq: 1 });
      const reader = await server.startClient({ sdk, user: owner.user });
      await unreadIs(reader, group, 1);
      assert.deepEqual(await textsOfHistory(reader, group), ['new']);
      await signOut(reader);
    });

    test('what a sender has said is recalled silently, and so is it read', async () => {
      await fresh();
      const sent = await said('spam');
      await said('ham', owner);
      const hide = { GroupId: group, Sender_Account: alice.user };
      await server.restOk('group_open_http_svc/delete_group_msg_by_sender', hide);
      await said('fence', owner);
      const told = bob.events.entries.filter(
        ({ name, data }) => name === 'onMessageRevoked' && data.some((/** @type {any} */ m) => m.ID === sent.ID),
      );
      assert.deepEqual(told, []);
      const again = await server.startClient({ sdk, user: bob.user });
      const { messages } = await historyOf(again, group);
      assert.deepEqual(
        messages.map((message) => message.isRevoked),
        [true, false, false],
      );
      await unreadIs(again, group, 2);
      await signOut(again);
    });

    describe('while a device was away', () => {
      /** @type {import('./harness/proxy.js').Proxy} */ let proxy;
      /** @type {Client} */ let carol;

      before(async () => {
        proxy = await startProxy(server);
        carol = await server.startClient({ sdk, user: userNamed('carol'), through: proxy });
      });

      /** A group of the owner's, Alice and Carol, who has what was said in it. @param {string[]} texts */
      async function known(texts) {
        group = await makeGroup(server, { owner, members: [alice, carol] });
        const sent = [];
        for (const text of texts) {
          const message = await sayIn(alice, group, text);
          await carol.message(({ ID }) => ID === message.ID);
          sent.push(message);
        }
        await unreadIs(carol, group, texts.length);
        await server.connectionsAged();
        return sent;
      }

      /** Ends the network of Carol for as long as `meanwhile` takes, and waits until she has caught up. @param {() => Promise<any>} meanwhile */
      async function withoutNetwork(meanwhile) {
        const isFetch = (/** @type {any} */ { direction, frame }) =>
          direction === 'in' && frame.head.servcmd === 'openim.getmsg';
        const fetches = carol.frames.entries.filter(isFetch).length;
        proxy.hold();
        await meanwhile();
        proxy.release();
        await carol.frames.atLeast(fetches + 1, isFetch, { what: 'reply to openim.getmsg after the reconnect' });
      }

      test('a message that it knew was recalled: it learns that, and counts right', async () => {
        const [first] = await known(['first', 'second']);
        await withoutNetwork(() => alice.call('revokeMessage', { $message: first.ID }));
        assert.equal((await shown(carol, 'onMessageRevoked', first.ID)).isRevoked, true);
        await unreadIs(carol, group, 1);
      });

      test('others were said besides: it counts them, and not the recalled ones', async () => {
        const [first] = await known(['first', 'second']);
        await withoutNetwork(async () => {
          // In a later second than the last that was heard of her: what she cannot have seen.
          await server.past(nowSeconds());
          await alice.call('revokeMessage', { $message: first.ID });
          await sayIn(alice, group, 'new');
          const gone = await sayIn(alice, group, 'gone');
          await alice.call('revokeMessage', { $message: gone.ID });
        });
        await shown(carol, 'onMessageRevoked', first.ID);
        await unreadIs(carol, group, 2);
        await carol.conversationWhere({ group }, (item) => item.lastMessage.isRevoked === true);
      });

      test('a message that it knew was modified: it shows what it says now', async () => {
        const [sent] = await known(['draft']);
        await withoutNetwork(() => alice.modify(sent, { payload: { text: 'final' } }));
        assert.equal((await shown(carol, 'onMessageModified', sent.ID)).payload.text, 'final');
        await carol.conversationWhere({ group }, (item) => item.lastMessage.payload.text === 'final');
        await unreadIs(carol, group, 1);
      });
    });

    test('in a live room: viewers are told, and who comes back hears only of the recall', { skip: sdk === 'tim' && 'it tells nothing of recalls in rooms' }, async () => {
      const made = { Owner_Account: owner.user, Type: TYPE.room, GroupId: `room-${sdk}`, Name: 'live' };
      await server.restOk('group_open_http_svc/create_group', made);
      const room = made.GroupId;
      for (const client of [alice, bob]) await client.call('joinGroup', { groupID: room, type: TYPE.room });
      const sent = await sayIn(alice, room, 'rude');
      await bob.message((message) => message.ID === sent.ID);
      await alice.call('revokeMessage', { $message: sent.ID });
      assert.equal((await shown(bob, 'onMessageRevoked', sent.ID)).revoker, alice.user);

      const said = await server.restOk(
        'group_open_http_svc/send_group_msg',
        groupText(room, 'by a backend', { From_Account: owner.user }),
      );
      const received = await bob.message((message) => message.to === room && message.payload.text === 'by a backend');
      assert.equal(received.sequence, said.MsgSeq);
      await recallByRest(room, [received]);
      for (const client of [alice, bob]) await shown(client, 'onMessageRevoked', received.ID);
    });
  });
}
