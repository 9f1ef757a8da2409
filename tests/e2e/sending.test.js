/** Sending in all its forms: to many at once, from another system, by robots, merged, and to those who want to hear less. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  makeGroup,
  nowSeconds,
  refusedWith,
  sayIn,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 3 });
});

/** @param {string} text */
const textBody = (text) => [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }];

/** The fields of a message with one text, as a backend sends it. @param {string} from @param {string} to @param {string} text */
const restText = (from, to, text) => ({
  From_Account: from,
  To_Account: to,
  MsgSeq: randomInt(2 ** 32),
  MsgRandom: randomInt(2 ** 32),
  MsgBody: textBody(text),
});

/** The texts of a conversation as a package shows its history. @param {import('./harness/client.js').Client} client @param {string} peer */
async function textsWith(client, peer) {
  const { data } = await client.call('getMessageList', { conversationID: conversationID(peer) });
  return data.messageList.map((/** @type {any} */ message) => message.payload.text);
}

for (const sdk of SDKS) {
  describe(`sending with ${sdk}`, () => {
    /** @param {string} [user] */
    const client = (user = userNamed('user')) => server.startClient({ sdk, user });

    test('one request reaches several users, and the other devices of the sender if it says so', async () => {
      const [news, alice, bob] = [await client(), await client(), await client()];
      const request = {
        ...restText(news.user, '', 'to all of you'),
        To_Account: [alice.user, bob.user, userNamed('ghost')],
        SyncOtherMachine: 1,
      };
      const answer = await server.rest('openim/batchsendmsg', request);
      assert.equal(answer.ActionStatus, 'SomeError');
      assert.equal(answer.ErrorList.length, 1);
      for (const receiver of [alice, bob]) {
        const { from, sequence, random, time } = await receiver.message('to all of you');
        assert.equal(from, news.user);
        assert.equal(`${sequence}_${random}_${time}`, answer.MsgKey);
        await receiver.conversationWhere(news.user, (conversation) => conversation?.unreadCount === 1);
      }
      for (const to of [alice.user, bob.user]) {
        const copy = await news.message((message) => message.to === to);
        assert.equal(copy.flow, 'out');
      }

      const again = await server.rest('openim/batchsendmsg', request);
      assert.equal(again.MsgKey, answer.MsgKey);
      await server.restOk('openim/sendmsg', restText(news.user, alice.user, 'and one more'));
      await alice.message('and one more');
      assert.equal(alice.timesReceived('to all of you'), 1);
    });

    test('a live import arrives like a message, a history import only stands in the history', async () => {
      const [alice, bob] = [await client(), await client()];
      const imported = (/** @type {string} */ text, /** @type {number} */ ago, /** @type {number} */ kind) =>
        server.restOk('openim/importmsg', {
          ...restText(alice.user, bob.user, text),
          MsgTimeStamp: nowSeconds() - ago,
          SyncFromOldSystem: kind,
        });
      await imported('long ago', 86_400, 2);
      await imported('said there', 60, 5);
      const received = await bob.message('said there');
      assert.equal(received.flow, 'in');
      await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 1);
      await alice.message((message) => message.payload?.text === 'said there' && message.flow === 'out');
      await imported('between the two', 3_600, 2);
      await alice.sendText(bob.user, 'said here');
      await bob.message('said here');

      const again = await client(bob.user);
      assert.deepEqual(await textsWith(again, alice.user), ['long ago', 'between the two', 'said there', 'said here']);
      const conversation = await again.conversation(alice.user);
      assert.equal(conversation.lastMessage.payload.text, 'said here');
      assert.equal(conversation.unreadCount, 2);
      assert.equal(bob.timesReceived('long ago'), 0);
      assert.equal(bob.timesReceived('between the two'), 0);
    });

    test('two who never wrote to each other find the imported conversation with its time', async () => {
      const [alice, bob] = [userNamed('alice'), userNamed('bob')];
      await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: [alice, bob] });
      const MsgTimeStamp = nowSeconds() - 7 * 86_400;
      const message = { ...restText(alice, bob, 'last week'), MsgTimeStamp, SyncFromOldSystem: 2 };
      await server.restOk('openim/importmsg', message);
      for (const [own, peer] of [
        [alice, bob],
        [bob, alice],
      ]) {
        const device = await client(own);
        const { lastMessage, unreadCount } = await device.conversation(peer);
        assert.equal(lastMessage.lastTime, MsgTimeStamp);
        assert.equal(lastMessage.payload.text, 'last week');
        assert.equal(unreadCount, 0);
        await device.kill();
      }
    });

    test('a backend marks a conversation read: the reader sees it, and the sender', async () => {
      const [alice, bob] = [await client(), await client()];
      await alice.sendText(bob.user, 'read for you');
      await bob.message('read for you');
      await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 1);
      await server.restOk('openim/admin_set_msg_read', { Report_Account: bob.user, Peer_Account: alice.user });
      await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 0);
      const [read] = await alice.next('onMessageReadByPeer');
      assert.equal(read.payload.text, 'read for you');
    });

    test('everything is read at once, on the other devices too', async () => {
      const [alice, carol, bob] = [await client(), await client(), await client()];
      const group = await makeGroup(server, { owner: alice, members: [bob] });
      const other = await client(bob.user);
      await alice.sendText(bob.user, 'one');
      await carol.sendText(bob.user, 'two');
      await sayIn(alice, group, 'three');
      for (const device of [bob, other]) {
        for (const text of ['one', 'two', 'three']) await device.message(text);
        for (const from of [alice.user, carol.user, { group }]) {
          await device.conversationWhere(from, (conversation) => conversation?.unreadCount === 1);
        }
      }
      await bob.call('setAllMessageRead');
      for (const device of [bob, other]) {
        for (const from of [alice.user, carol.user, { group }]) {
          await device.conversationWhere(from, (conversation) => conversation?.unreadCount === 0);
        }
      }
      for (const writer of [alice, carol]) await writer.next('onMessageReadByPeer');
      const unread = await server.restOk('openim/get_c2c_unread_msg_num', { To_Account: bob.user });
      assert.equal(unread.AllC2CUnreadMsgNum, 0);

      const fresh = await client(bob.user);
      for (const from of [alice.user, carol.user, { group }]) {
        assert.equal((await fresh.conversation(from)).unreadCount, 0);
      }
    });

    test('who is mentioned and reads it has the mention taken out of his log', async () => {
      const [alice, bob] = [await client(), await client()];
      const group = await makeGroup(server, { owner: alice, members: [bob] });
      await server.restOk(
        'group_open_http_svc/send_group_msg',
        groupText(group, 'bob?', {
          From_Account: alice.user,
          GroupAtInfo: [{ GroupAtAllFlag: 0, GroupAt_Account: bob.user }],
        }),
      );
      await bob.conversationWhere({ group }, (conversation) => conversation?.groupAtInfoList?.length > 0);
      await bob.call('setMessageRead', { conversationID: conversationID({ group }) });
      const { head } = await bob.request('openim.deletemsg');
      const { body } = await bob.reply('openim.deletemsg');
      assert.equal(head.servcmd, 'openim.deletemsg');
      assert.equal(body.ErrorCode, 0);
    });
  });

  describe(`hearing less with ${sdk}`, () => {
    /** @param {string} [user] */
    const client = (user = userNamed('user')) => server.startClient({ sdk, user });

    /** @param {import('./harness/client.js').Client} device @param {string} peer @param {string} messageRemindType */
    const remind = (device, peer, messageRemindType) =>
      device.call('setMessageRemindType', { userIDList: [peer], messageRemindType });

    test('an option for one peer is known to the other devices and after a new login', async () => {
      const [alice, bob] = [await client(), await client()];
      await alice.sendText(bob.user, 'first');
      await bob.message('first');
      const other = await client(bob.user);
      await remind(bob, alice.user, 'AcceptNotNotify');
      const is = (/** @type {string} */ option) => (/** @type {any} */ item) => item?.messageRemindType === option;
      for (const device of [bob, other]) await device.conversationWhere(alice.user, is('AcceptNotNotify'));
      await alice.sendText(bob.user, 'second');
      for (const device of [bob, other]) await device.message('second');

      const fresh = await client(bob.user);
      await fresh.conversationWhere(alice.user, is('AcceptNotNotify'));
      await remind(fresh, alice.user, 'AcceptAndNotify');
      for (const device of [bob, other]) await device.conversationWhere(alice.user, is('AcceptAndNotify'));
    });

    test('what is discarded does not arrive, but stands in the history', async () => {
      const [alice, bob] = [await client(), await client()];
      await alice.sendText(bob.user, 'heard');
      await bob.message('heard');
      await remind(bob, alice.user, 'Discard');
      await alice.sendText(bob.user, 'not heard');
      const rest = restText(alice.user, bob.user, 'not heard either');
      await server.restOk('openim/sendmsg', { ...rest, SendMsgControl: ['WithMuteNotifications'] });
      // A backend's own message is delivered all the same: it is the last one, so nothing else is on its way.
      await server.restOk('openim/sendmsg', restText(alice.user, bob.user, 'to be heard'));
      await bob.message('to be heard');
      assert.equal(bob.timesReceived('not heard'), 0);
      assert.equal(bob.timesReceived('not heard either'), 0);

      const fresh = await client(bob.user);
      assert.deepEqual(await textsWith(fresh, alice.user), ['heard', 'not heard', 'not heard either', 'to be heard']);
    });

    // The older package has no such call.
    if (sdk === 'chat') {
      test('the overall option and its hours are known to the other devices', async () => {
        const bob = await client();
        const other = await client(bob.user);
        const asked = { messageRemindType: 'AcceptNotNotify', startHour: 22, duration: 8 * 3_600, isRepeated: true };
        await bob.call('setAllReceiveMessageOpt', asked);
        const told = await other.next('onAllReceiveMessageOptUpdated');
        assert.equal(told.messageRemindType, 'AcceptNotNotify');
        assert.equal(told.isRepeated, true);
        assert.equal(told.endTime - told.startTime, 8 * 3_600);
        const { data } = await other.call('getAllReceiveMessageOpt');
        assert.deepEqual(data, told);
      });
    }

    test('a user who is muted everywhere is refused until the mute is lifted', async () => {
      const [alice, bob] = [await client(), await client()];
      const group = await makeGroup(server, { owner: alice, members: [bob] });
      const mute = (/** @type {number} */ c2c, /** @type {number} */ groups) =>
        server.restOk('openconfigsvr/setnospeaking', {
          Set_Account: alice.user,
          C2CmsgNospeakingTime: c2c,
          GroupmsgNospeakingTime: groups,
        });
      await mute(600, 4_294_967_295);
      await refusedWith(alice.sendText(bob.user, 'unheard'), 20012);
      await refusedWith(sayIn(alice, group, 'unheard'), 10017);
      const left = await server.restOk('openconfigsvr/getnospeaking', { Get_Account: alice.user });
      assert.equal(left.GroupmsgNospeakingTime, 4_294_967_295);
      assert.ok(left.C2CmsgNospeakingTime > 500 && left.C2CmsgNospeakingTime <= 600, `${left.C2CmsgNospeakingTime}`);
      await bob.sendText(alice.user, 'others may');
      await alice.message('others may');
      await mute(0, 0);
      await alice.sendText(bob.user, 'heard');
      await bob.message('heard');
      await sayIn(alice, group, 'heard in the group');
      await bob.message('heard in the group');
      assert.equal(bob.timesReceived('unheard'), 0);
    });
  });

  describe(`robots with ${sdk}`, () => {
    test('a user talks with a robot, alone and in a group', async () => {
      const robot = `@RBT#${userNamed('r')}`;
      await server.restOk('openim_robot_http_svc/create_robot', { UserID: robot, Nick: 'Helper' });
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      await alice.sendText(robot, 'are you there?');
      const history = { Operator_Account: robot, Peer_Account: alice.user, MaxCnt: 10, MinTime: 0, MaxTime: 4_294_967_295 };
      const { MsgList } = await server.restOk('openim/admin_getroammsg', history);
      assert.deepEqual(MsgList[0].MsgBody, textBody('are you there?'));
      await server.restOk('openim/sendmsg', restText(robot, alice.user, 'I am'));
      const answer = await alice.message('I am');
      assert.equal(answer.nick, 'Helper');

      const group = await makeGroup(server, { owner: alice, type: TYPE.public });
      const MemberList = [{ Member_Account: robot }];
      await server.restOk('group_open_http_svc/add_group_member', { GroupId: group, MemberList });
      await server.restOk('group_open_http_svc/send_group_msg', groupText(group, 'hello all', { From_Account: robot }));
      await alice.message('hello all');

      await server.restOk('openim_robot_http_svc/delete_robot', { Robot_Account: robot });
      await refusedWith(alice.sendText(robot, 'still there?'), 90012, 20003);
    });
  });

  describe(`merged messages with ${sdk}`, () => {
    test('a list too long for one message is fetched by its key, alone and in a group', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const group = await makeGroup(server, { owner: alice, members: [bob] });
      const sent = [];
      for (const letter of ['a', 'b', 'c']) sent.push(await alice.sendText(bob.user, letter.repeat(6_000)));
      const payload = {
        messageList: sent.map(({ ID }) => ({ $message: ID })),
        title: 'what we said',
        abstractList: ['alice: aaa', 'alice: bbb'],
        compatibleText: 'your version cannot show this',
      };
      for (const [to, message] of /** @type {[string, object][]} */ ([
        [bob.user, {}],
        [group, { conversationType: 'GROUP' }],
      ])) {
        const merged = await alice.send('Merger', to, payload, { message });
        const received = await bob.message(({ ID }) => ID === merged.ID);
        assert.equal(received.type, 'TIMRelayElem');
        assert.equal(received.payload.title, 'what we said');
        assert.ok(received.payload.downloadKey, 'the list is stored apart');
        const whole = await bob.call('downloadMergerMessage', { $message: received.ID });
        assert.deepEqual(
          whole.payload.messageList.map((/** @type {any} */ item) => item.messageBody[0].payload.text),
          sent.map((item) => item.payload.text),
        );
      }
    });
  });
}
