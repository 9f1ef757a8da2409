/** One user on several devices: who is let in, who is put out, and what they tell each other. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, newApp, startProxy, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;
/** The app with the policy as it comes. */
const single = newApp();
/** The app whose users may have two Web clients. */
const several = newApp(single.id + 1);

before(async () => {
  server = await startServer({ apps: [single, several] });
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2, 'conversation.sync_delete': 'on' }, several);
});

for (const sdk of SDKS) {
  describe(`devices with ${sdk}`, () => {
    test('by default a second Web client puts the first one out', async () => {
      const user = userNamed('alice');
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const first = await server.startClient({ sdk, user });
      const second = await server.startClient({ sdk, user });

      const { type } = await first.next('kickedOut');
      assert.equal(type, 'multipleAccount');
      await first.next('sdkStateNotReady');
      const { body } = await first.request('im_open_status.wslogout');
      assert.equal(body.wslogout_type, 1);

      await bob.sendText(user, 'who is there?');
      await second.message('who is there?');
      assert.deepEqual(first.received.entries, []);
      assert.equal(
        second.events.entries.some(({ name }) => name === 'kickedOut'),
        false,
      );
      const status = await server.restOk('openim/query_online_status', { To_Account: [user] });
      assert.equal(status.QueryResult[0].Status, 'Online', "the first one's own logout must not end the second one");
    });

    test('a client whose place was taken while it was away is told when it comes back', async () => {
      const user = userNamed('alice');
      const proxy = await startProxy(server);
      const first = await server.startClient({ sdk, user, through: proxy });
      proxy.hold();
      const second = await server.startClient({ sdk, user });
      proxy.release();
      const { type } = await first.next('kickedOut');
      assert.equal(type, 'multipleAccount');
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      await bob.sendText(user, 'to the second');
      await second.message('to the second');
      for (const client of [first, second, bob]) await client.kill();
    });

    test('a client that was ended by REST while it was away is told when it comes back', async () => {
      const user = userNamed('alice');
      const proxy = await startProxy(server);
      const client = await server.startClient({ sdk, user, through: proxy });
      proxy.hold();
      await server.restOk('im_open_login_svc/kick', { UserID: user });
      proxy.release();
      const { type } = await client.next('kickedOut');
      assert.ok(['REST_API_Kick', 'userSigExpired'].includes(type), type);
      await client.next('sdkStateNotReady');
      await client.kill();
    });

    test('a session that was replaced is refused with what took its place', async () => {
      const user = userNamed('alice');
      const first = await server.openRaw({ app: single });
      await first.login(user);
      const { credentials } = first;
      await first.terminate();
      const second = await server.startClient({ sdk, user });
      const back = await server.openRaw({ app: single });
      back.credentials = credentials;
      const reply = await back.ask('im_open_status.wshello', { is_web_uniapp: 0 });
      assert.equal(reply.ErrorCode, 1002);
      assert.equal(reply.KickType, 1);
      await second.call('getMyProfile');
    });

    test('where the app allows two, both get every message, and each copy of what the other sends', async () => {
      const alice = userNamed('alice');
      const app = several;
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      const desk = await server.startClient({ sdk, user: alice, app });
      const lap = await server.startClient({ sdk, user: alice, app });

      const toBoth = await bob.sendText(alice, 'to both');
      for (const device of [desk, lap]) assert.equal((await device.message('to both')).ID, toBoth.ID);

      const sent = await desk.sendText(bob.user, 'from the desk');
      const copy = await lap.message('from the desk');
      assert.deepEqual(
        [copy.ID, copy.from, copy.to, copy.flow, copy.conversationID],
        [sent.ID, alice, bob.user, 'out', `C2C${bob.user}`],
      );
      const push = await lap.reply(
        'im_open_push.msg_push',
        (body) => body.EventArray[0].C2cMsgArray?.[0].IsSyncMsg === 1,
      );
      assert.deepEqual(
        [push.body.EventArray[0].C2cMsgArray[0].From_Account, push.body.EventArray[0].C2cMsgArray[0].To_Account],
        [bob.user, alice],
        'in a copy for the sender the two names change places',
      );
      await lap.conversationWhere(
        bob.user,
        (conversation) => conversation?.lastMessage.payload.text === 'from the desk',
      );

      await bob.sendText(alice, 'fence');
      for (const device of [desk, lap]) await device.message('fence');
      assert.equal(desk.timesReceived('from the desk'), 0, 'the sending device needs no copy');
      assert.equal(lap.timesReceived('from the desk'), 1);
      for (const device of [desk, lap, bob]) await device.kill();
    });

    test("REST sends the sender's devices a copy when asked, and none otherwise", async () => {
      const app = several;
      const [from, to] = [userNamed('from'), userNamed('to')];
      const sender = await server.startClient({ sdk, user: from, app });
      const receiver = await server.startClient({ sdk, user: to, app });
      for (const [SyncOtherMachine, text] of /** @type {const} */ ([
        [2, 'hidden'],
        [1, 'shown'],
      ])) {
        const answer = await server.rest(
          'openim/sendmsg',
          {
            SyncOtherMachine,
            From_Account: from,
            To_Account: to,
            MsgRandom: SyncOtherMachine,
            MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
          },
          { app },
        );
        assert.equal(answer.ErrorCode, 0);
        await receiver.message(text);
      }
      assert.equal((await sender.message('shown')).flow, 'out');
      assert.equal(sender.timesReceived('hidden'), 0);
      for (const device of [sender, receiver]) await device.kill();
    });

    test('reading and deleting on one device show on the other', async () => {
      const alice = userNamed('alice');
      const app = several;
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      const desk = await server.startClient({ sdk, user: alice, app });
      const lap = await server.startClient({ sdk, user: alice, app });
      await bob.sendText(alice, 'news');
      for (const device of [desk, lap])
        await device.conversationWhere(bob.user, (conversation) => conversation?.unreadCount === 1);

      await desk.call('setMessageRead', { conversationID: `C2C${bob.user}` });
      await lap.conversationWhere(bob.user, (conversation) => conversation.unreadCount === 0);
      await desk.call('deleteConversation', `C2C${bob.user}`);
      await lap.conversationWhere(bob.user, (conversation) => conversation === undefined);
      for (const device of [desk, lap, bob]) await device.kill();
    });

    test('a device that was away gets copies of what the others sent', async () => {
      const alice = userNamed('alice');
      const app = several;
      const proxy = await startProxy(server);
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      const desk = await server.startClient({ sdk, user: alice, app });
      const lap = await server.startClient({ sdk, user: alice, app, through: proxy });
      await desk.sendText(bob.user, 'before');
      await lap.message('before');
      proxy.hold();
      const sent = await desk.sendText(bob.user, 'while the other was away');
      proxy.release();
      const copy = await lap.message('while the other was away');
      assert.deepEqual([copy.ID, copy.flow, copy.conversationID], [sent.ID, 'out', `C2C${bob.user}`]);
      await bob.sendText(alice, 'fence');
      await lap.message('fence');
      assert.deepEqual([lap.timesReceived('before'), lap.timesReceived('while the other was away')], [1, 1]);
      await lap.conversationWhere(bob.user, (conversation) => conversation.unreadCount === 1);
      for (const device of [desk, lap, bob]) await device.kill();
    });

    test('a device that was away learns what was read on another meanwhile', async () => {
      const alice = userNamed('alice');
      const app = several;
      const proxy = await startProxy(server);
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      const desk = await server.startClient({ sdk, user: alice, app });
      const lap = await server.startClient({ sdk, user: alice, app, through: proxy });
      await bob.sendText(alice, 'news');
      for (const device of [desk, lap])
        await device.conversationWhere(bob.user, (conversation) => conversation?.unreadCount === 1);
      proxy.hold();
      await desk.call('setMessageRead', { conversationID: `C2C${bob.user}` });
      proxy.release();
      await lap.conversationWhere(bob.user, (conversation) => conversation.unreadCount === 0);
      for (const device of [desk, lap, bob]) await device.kill();
    });

    test('a third device puts out the one that came first', async () => {
      const alice = userNamed('alice');
      const app = several;
      const first = await server.startClient({ sdk, user: alice, app });
      const second = await server.startClient({ sdk, user: alice, app });
      const third = await server.startClient({ sdk, user: alice, app });
      const { type } = await first.next('kickedOut');
      assert.equal(type, 'multipleAccount');
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      await bob.sendText(alice, 'to the two');
      for (const device of [second, third]) await device.message('to the two');
      for (const device of [second, third]) {
        assert.equal(
          device.events.entries.some(({ name }) => name === 'kickedOut'),
          false,
        );
      }
      for (const device of [first, second, third, bob]) await device.kill();
    });
  });
}
