/** Messages in groups: every element, order, history, unread counts, the conversation list, mentions. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  CLIENT_ELEMENTS,
  REST_ELEMENTS,
  SDKS,
  TIP,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  heardIn,
  historyOf,
  isTip,
  knows,
  makeGroup,
  newApp,
  refusedWith,
  sayIn,
  startServer,
  textsIn,
  textsOfHistory,
  tip,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;
/** The app whose groups have the limit of 40 messages a second. */
const limited = newApp();
/** The app of all others. */
const app = newApp(limited.id + 1);

before(async () => {
  server = await startServer({ apps: [app, limited] });
  await server.set({
    'login.policy': 'multi',
    'login.web_instances': 5,
    'rest.calls_per_second': 100_000,
    'group.messages_per_second': 100_000,
  });
});

/** Ends a device for good: one that is only killed keeps its place among the devices of its user for a while. @param {Client} client */
async function signOut(client) {
  await client.call('logout');
  await client.kill();
}

/** @param {string} from @param {string} group @param {string} text @param {object} [more] */
const sayByRest = (from, group, text, more) =>
  server.restOk('group_open_http_svc/send_group_msg', groupText(group, text, { From_Account: from, ...more }));

/** @param {Client} client @param {string} group */
const readAll = (client, group) => client.call('setMessageRead', { conversationID: conversationID({ group }) });

/** @param {Client} client @param {string} group @param {number} count */
const unreadIs = (client, group, count) => client.conversationWhere({ group }, (item) => item?.unreadCount === count);

/**
 * The group message as it was pushed to a client.
 *
 * @param {Client} client
 * @param {(message: any) => boolean} predicate
 */
async function pushOf(client, predicate) {
  const messagesIn = (/** @type {any} */ body) =>
    (body.EventArray ?? []).flatMap((/** @type {any} */ event) => event.GroupMsgArray ?? []);
  const { body } = await client.reply('im_open_push.msg_push', (body) => messagesIn(body).some(predicate));
  return messagesIn(body).find(predicate);
}

/** Stands for everybody in a list of those who are mentioned. */
const AT_ALL = '__kImSDK_MesssageAtALL__';
/** How a conversation says who was mentioned. */
const [AT_ME, AT_EVERYBODY, AT_ME_AND_EVERYBODY] = [1, 2, 3];

describe('group messages', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {Client} */ let owner;
      /** @type {Client} */ let alice;
      /** @type {Client} */ let bob;

      before(async () => {
        [owner, alice, bob] = await Promise.all(
          ['owner', 'alice', 'bob'].map((name) => server.startClient({ sdk, user: userNamed(name) })),
        );
      });

      /** @param {string} [type] @param {object} [options] */
      const groupOfThree = (type, options) => makeGroup(server, { owner, members: [alice, bob], type, options });

      for (const { kind, payload } of CLIENT_ELEMENTS) {
        test(`${kind}: from one to all others, and the same in the history`, async () => {
          const group = await groupOfThree();
          const sent = await alice.send(kind, group, payload, {
            message: { conversationType: 'GROUP', cloudCustomData: '{"thread":7}' },
          });
          for (const client of [owner, bob]) {
            const received = await client.message((message) => message.ID === sent.ID);
            assert.deepEqual(received.payload, sent.payload);
            assert.deepEqual(
              [received.from, received.to, received.flow, received.conversationID, received.cloudCustomData],
              [alice.user, group, 'in', conversationID({ group }), '{"thread":7}'],
            );
            assert.deepEqual([received.time, received.sequence], [sent.time, sent.sequence]);
          }
          const reader = await server.startClient({ sdk, user: bob.user });
          const { messages } = await historyOf(reader, group);
          assert.deepEqual(
            messages.map((message) => [message.ID, message.payload, message.flow]),
            [[sent.ID, sent.payload, 'in']],
          );
          await signOut(reader);
          assert.equal(
            alice.received.entries.some(({ ID }) => ID === sent.ID),
            false,
            'the sender needs no copy',
          );
        });
      }

      test('every element that REST sends arrives as it was sent, and can be forwarded', async () => {
        const group = await groupOfThree();
        for (const element of REST_ELEMENTS) {
          const answer = await server.restOk('group_open_http_svc/send_group_msg', {
            ...groupText(group, ''),
            From_Account: alice.user,
            MsgBody: [element],
            CloudCustomData: 'with it',
          });
          const pushed = await pushOf(bob, (message) => message.GroupId === group && message.MsgSeq === answer.MsgSeq);
          assert.deepEqual(pushed.MsgBody, [element]);
          assert.deepEqual([pushed.From_Account, pushed.MsgTimeStamp], [alice.user, answer.MsgTime]);
          const received = await bob.message((message) => message.random === pushed.MsgRandom);
          assert.deepEqual([received.type, received.cloudCustomData], [element.MsgType, 'with it']);
          const own = await alice.message((message) => message.random === pushed.MsgRandom);
          assert.equal(own.flow, 'out', 'what REST sends for somebody reaches his own devices, too');

          const forwarded = await bob.send(
            'Forward',
            group,
            { $message: received.ID },
            {
              message: { conversationType: 'GROUP' },
            },
          );
          const back = await alice.message((message) => message.ID === forwarded.ID);
          assert.equal(back.type, element.MsgType);
        }
        const several = [REST_ELEMENTS[0], REST_ELEMENTS[2], REST_ELEMENTS[3]];
        const { MsgSeq } = await server.restOk('group_open_http_svc/send_group_msg', {
          ...groupText(group, ''),
          From_Account: alice.user,
          MsgBody: several,
        });
        const pushed = await pushOf(bob, (message) => message.GroupId === group && message.MsgSeq === MsgSeq);
        assert.deepEqual(pushed.MsgBody, several);
      });

      test('all send at once: nothing is lost or doubled, and all see one order', async () => {
        const group = await groupOfThree();
        const [clients, texts] = [[owner, alice, bob], Array.from({ length: 40 }, (_, index) => `shot ${index}`)];
        const sent = await Promise.all(
          clients.flatMap((client) => texts.map((text) => sayIn(client, group, `${client.user}: ${text}`))),
        );
        assert.deepEqual(
          sent.map(({ sequence }) => sequence).sort((a, b) => a - b),
          sent.map((_, index) => index + 1),
        );
        const ordered = sent.sort((a, b) => a.sequence - b.sequence).map(({ payload }) => payload.text);
        for (const client of clients) {
          const others = ordered.filter((text) => !text.startsWith(`${client.user}:`));
          await client.received.atLeast(
            others.length,
            (message) => message.to === group && message.type === 'TIMTextElem',
          );
          assert.deepEqual(textsIn(client, group), others);
          const own = ordered.filter((text) => text.startsWith(`${client.user}:`));
          assert.deepEqual(
            own,
            texts.map((text) => `${client.user}: ${text}`),
            'each in the order of sending',
          );
        }
        const reader = await server.startClient({ sdk, user: bob.user });
        assert.deepEqual(await textsOfHistory(reader, group), ordered);
        await signOut(reader);
      });

      test('the history goes back by page to the first message, newest page first', async () => {
        const group = await groupOfThree();
        const texts = Array.from({ length: 50 }, (_, index) => `message ${index + 1}`);
        for (const [index, text] of texts.entries()) {
          await sayByRest(index % 3 === 0 ? alice.user : owner.user, group, text);
        }
        await bob.message('message 50');
        for (const user of [alice.user, bob.user]) {
          const pager = await server.startClient({ sdk, user });
          const { messages, pages } = await historyOf(pager, group);
          assert.deepEqual(
            messages.map(({ payload }) => payload.text),
            texts,
          );
          assert.equal(new Set(messages.map(({ ID }) => ID)).size, texts.length);
          assert.deepEqual(
            messages.map(({ sequence }) => sequence),
            texts.map((_, index) => index + 1),
          );
          for (const message of messages) assert.equal(message.flow, message.from === user ? 'out' : 'in');
          assert.ok(pages >= 3, `${pages} pages`);
          await signOut(pager);
        }
      });

      for (const [name, type, sees] of /** @type {const} */ ([
        ['work', TYPE.work, false],
        ['public', TYPE.public, false],
        ['meeting', TYPE.meeting, true],
        ['community', TYPE.community, true],
      ])) {
        test(`who comes into a ${name} group later sees what was said before: ${sees}`, async () => {
          const group = await groupOfThree(type);
          await sayIn(owner, group, 'before');
          await bob.message((message) => message.to === group && message.payload.text === 'before');
          const late = await server.startClient({ sdk, user: userNamed('late') });
          await server.restOk('group_open_http_svc/add_group_member', {
            GroupId: group,
            MemberList: [{ Member_Account: late.user }],
          });
          await knows(late, group);
          await sayIn(owner, group, 'after');
          await late.message('after');
          assert.deepEqual(await textsOfHistory(late, group), sees ? ['before', 'after'] : ['after']);
          await late.conversationWhere({ group }, (item) => item?.unreadCount === (type === TYPE.meeting ? 0 : 1));
          await signOut(late);
          const again = await server.startClient({ sdk, user: late.user });
          assert.deepEqual(await textsOfHistory(again, group), sees ? ['before', 'after'] : ['after']);
          await again.conversationWhere({ group }, (item) => item?.unreadCount === (type === TYPE.meeting ? 0 : 1));
          await signOut(again);
        });
      }

      test('what others say is unread until it is read; own messages and tips are not', async () => {
        const group = await groupOfThree();
        for (const text of ['one', 'two', 'three']) await sayIn(alice, group, text);
        await server.restOk('group_open_http_svc/modify_group_member_info', {
          GroupId: group,
          Member_Account: alice.user,
          Role: 'Admin',
        });
        await tip(bob, group, TIP.adminSet);
        await unreadIs(bob, group, 3);
        const own = await alice.conversation({ group });
        assert.equal(own.unreadCount, 0);
        await sayIn(bob, group, 'an answer');
        await alice.conversationWhere({ group }, (item) => item?.unreadCount === 1);
        await unreadIs(bob, group, 3);

        await readAll(bob, group);
        await unreadIs(bob, group, 0);
        await sayByRest(alice.user, group, 'four');
        await unreadIs(bob, group, 1);

        const again = await server.startClient({ sdk, user: bob.user });
        await unreadIs(again, group, 1);
        await sayIn(bob, group, 'from the first device');
        await sayIn(alice, group, 'five');
        for (const device of [bob, again]) await unreadIs(device, group, 2);
        await signOut(again);
        const later = await server.startClient({ sdk, user: bob.user });
        await unreadIs(later, group, 2);
        const { lastMessage } = await later.conversation({ group });
        assert.deepEqual([lastMessage.payload.text, lastMessage.fromAccount], ['five', alice.user]);
        await signOut(later);
        const hers = await server.startClient({ sdk, user: alice.user });
        await unreadIs(hers, group, 2);
        await signOut(hers);
      });

      test('what was read on one device is read on the other, also after a new login', async () => {
        const group = await groupOfThree();
        const lap = await server.startClient({ sdk, user: bob.user });
        await sayIn(alice, group, 'news');
        for (const device of [bob, lap]) await unreadIs(device, group, 1);
        await readAll(lap, group);
        for (const device of [bob, lap]) await unreadIs(device, group, 0);
        await signOut(lap);
        const again = await server.startClient({ sdk, user: bob.user });
        await again.conversationWhere({ group }, (item) => item !== undefined);
        await unreadIs(again, group, 0);
        await signOut(again);
      });

      test('what one device says is on the other, as its own', async () => {
        const group = await groupOfThree();
        const lap = await server.startClient({ sdk, user: bob.user });
        const sent = await sayIn(bob, group, `from the desk ${group}`);
        const copy = await lap.message(`from the desk ${group}`);
        assert.deepEqual([copy.ID, copy.flow, copy.to], [sent.ID, 'out', group]);
        await alice.message(`from the desk ${group}`);
        await unreadIs(lap, group, 0);
        await sayIn(alice, group, `fence ${group}`);
        await bob.message(`fence ${group}`);
        assert.equal(bob.timesReceived(`from the desk ${group}`), 0);
        await signOut(lap);
      });

      test('meetings count nothing as unread', async () => {
        const group = await groupOfThree(TYPE.meeting);
        await sayIn(alice, group, `uncounted ${group}`);
        await bob.message(`uncounted ${group}`);
        const live = await bob.conversationWhere({ group }, (item) => item?.lastMessage.payload?.text !== undefined);
        assert.equal(live.unreadCount, 0);
        const again = await server.startClient({ sdk, user: bob.user });
        assert.equal((await again.conversation({ group })).unreadCount, 0);
        await signOut(again);
      });

      test('a message may be left out of the count, and out of the last message', async () => {
        const group = await groupOfThree();
        const uncounted = { messageControlInfo: { excludedFromUnreadCount: true } };
        const unshown = { messageControlInfo: { excludedFromLastMessage: true } };
        await sayIn(alice, group, 'plain');
        await sayIn(alice, group, 'uncounted', { options: uncounted });
        await sayIn(alice, group, `in the background ${group}`, { options: unshown });
        await bob.message(`in the background ${group}`);
        const live = await unreadIs(bob, group, 2);
        assert.equal(live.lastMessage.payload.text, 'uncounted');
        const again = await server.startClient({ sdk, user: bob.user });
        const stored = await unreadIs(again, group, 2);
        assert.equal(stored.lastMessage.payload.text, 'uncounted');
        assert.equal((await textsOfHistory(again, group)).length, 3);
        await signOut(again);
      });

      test('the conversation list shows what was last said, or what last happened', async () => {
        const group = await groupOfThree();
        await sayIn(alice, group, 'last words');
        const live = await bob.conversationWhere({ group }, (item) => item?.lastMessage.payload?.text === 'last words');
        assert.deepEqual([live.type, live.lastMessage.fromAccount], ['GROUP', alice.user]);
        let again = await server.startClient({ sdk, user: bob.user });
        let stored = await again.conversation({ group });
        assert.deepEqual(
          [stored.lastMessage.payload.text, stored.lastMessage.fromAccount, stored.lastMessage.lastTime],
          ['last words', alice.user, live.lastMessage.lastTime],
        );
        assert.equal(stored.groupProfile.name, 'a group');
        await signOut(again);

        await owner.call('updateGroupProfile', { groupID: group, name: 'renamed' });
        await tip(bob, group, TIP.profile);
        await bob.conversationWhere({ group }, (item) => item?.lastMessage.type === 'TIMGroupTipElem');
        again = await server.startClient({ sdk, user: bob.user });
        stored = await again.conversation({ group });
        assert.equal(stored.lastMessage.type, 'TIMGroupTipElem');
        assert.deepEqual(
          [stored.lastMessage.payload.operationType, stored.lastMessage.payload.operatorID],
          [TIP.profile, owner.user],
        );
        assert.equal(stored.groupProfile.name, 'renamed');
        const { messages } = await historyOf(again, group);
        assert.deepEqual(
          messages.map(({ type }) => type),
          ['TIMTextElem', 'TIMGroupTipElem'],
        );
        assert.deepEqual(messages[1].payload.newGroupProfile, { groupName: 'renamed' });
        await signOut(again);
      });

      test('a deleted conversation is gone with its history until somebody says something', async () => {
        const group = await groupOfThree();
        await sayIn(alice, group, 'old');
        await unreadIs(bob, group, 1);
        await bob.call('deleteConversation', conversationID({ group }));
        assert.equal(await bob.conversation({ group }), undefined);
        const again = await server.startClient({ sdk, user: bob.user });
        assert.equal(await again.conversation({ group }), undefined);
        const { data } = await again.call('getGroupList');
        assert.ok(
          data.groupList.some((/** @type {any} */ item) => item.groupID === group),
          'he is still a member',
        );
        await sayIn(alice, group, 'new');
        for (const device of [bob, again]) await unreadIs(device, group, 1);
        await signOut(again);
        const third = await server.startClient({ sdk, user: bob.user });
        await unreadIs(third, group, 1);
        assert.deepEqual(await textsOfHistory(third, group), ['new']);
        await signOut(third);
        const hers = await server.startClient({ sdk, user: owner.user });
        assert.deepEqual(await textsOfHistory(hers, group), ['old', 'new']);
        await signOut(hers);
      });

      test('who wants no messages gets none, and all again when he changes his mind', async () => {
        const group = await groupOfThree();
        await bob.call('setMessageRemindType', { groupID: group, messageRemindType: 'Discard' });
        await sayIn(alice, group, `discarded ${group}`);
        await owner.message(`discarded ${group}`);
        await alice.sendText(bob.user, `fence ${group}`);
        await bob.message(`fence ${group}`);
        assert.deepEqual(heardIn(bob, group), []);
        const again = await server.startClient({ sdk, user: bob.user });
        await sayIn(alice, group, `discarded again ${group}`);
        await owner.message(`discarded again ${group}`);
        await alice.sendText(bob.user, `second fence ${group}`);
        for (const device of [bob, again]) {
          await device.message(`second fence ${group}`);
          assert.deepEqual(heardIn(device, group), []);
        }
        const { data } = await again.call('getGroupProfile', { groupID: group });
        assert.equal(data.group.selfInfo.messageRemindType, 'Discard');

        await again.call('setMessageRemindType', { groupID: group, messageRemindType: 'AcceptNotNotify' });
        await sayIn(alice, group, `taken ${group}`);
        for (const device of [bob, again]) await device.message(`taken ${group}`);
        const missed = [`discarded ${group}`, `discarded again ${group}`, `taken ${group}`];
        await signOut(again);
        const third = await server.startClient({ sdk, user: bob.user });
        assert.deepEqual(await textsOfHistory(third, group), missed);
        const profile = (await third.call('getGroupProfile', { groupID: group })).data.group;
        assert.equal(profile.selfInfo.messageRemindType, 'AcceptNotNotify');
        await signOut(third);
      });

      test('a message for those online only reaches them, and is in no history, list or count', async () => {
        const group = await groupOfThree();
        await sayIn(alice, group, 'kept');
        await unreadIs(bob, group, 1);
        await sayIn(alice, group, `typing ${group}`, { options: { onlineUserOnly: true } });
        for (const client of [owner, bob]) await client.message(`typing ${group}`);
        await sayByRest(alice.user, group, `typing still ${group}`, { OnlineOnlyFlag: 1 });
        for (const client of [owner, bob]) await client.message(`typing still ${group}`);
        await unreadIs(bob, group, 1);
        const again = await server.startClient({ sdk, user: bob.user });
        const stored = await unreadIs(again, group, 1);
        assert.equal(stored.lastMessage.payload.text, 'kept');
        assert.deepEqual(await textsOfHistory(again, group), ['kept']);
        assert.equal((await sayIn(alice, group, 'next')).sequence, 2, 'it takes no place');
        await signOut(again);
      });

      test('who is mentioned learns it', async () => {
        const group = await groupOfThree();
        const sent = await alice.send(
          'TextAt',
          group,
          { text: `@bob @all ${group}`, atUserList: [bob.user, AT_ALL] },
          {
            message: { conversationType: 'GROUP' },
          },
        );
        for (const client of [owner, bob]) {
          const received = await client.message((message) => message.ID === sent.ID);
          assert.deepEqual(received.atUserList, [bob.user, AT_ALL]);
        }
        const pushed = await pushOf(bob, (message) => message.GroupId === group);
        assert.deepEqual(
          pushed.GroupAtInfo.map((/** @type {any} */ at) => [at.GroupAtAllFlag, at.GroupAt_Account]),
          [
            [0, bob.user],
            [1, undefined],
          ],
        );
        const again = await server.startClient({ sdk, user: bob.user });
        const { messages } = await historyOf(again, group);
        assert.deepEqual(messages[0].atUserList, [bob.user, AT_ALL]);
        await signOut(again);
      });

      /** @param {any} item */
      const marks = (item) =>
        item?.groupAtInfoList?.map((/** @type {any} */ at) => [at.from, at.messageSequence, at.atTypeArray]) ?? [];

      test('the conversation of who is mentioned says so, on all devices, until he reads it', async () => {
        const group = await groupOfThree();
        const mention = (/** @type {string} */ text, /** @type {string[]} */ ...atUserList) =>
          alice.send('TextAt', group, { text, atUserList }, { message: { conversationType: 'GROUP' } });
        const isMarked = (/** @type {any} */ item) => marks(item).length === 3;
        await mention('@bob', bob.user);
        await mention('@owner', owner.user);
        await mention('@all', AT_ALL);
        await mention('@bob @all', bob.user, AT_ALL);
        const expected = [
          [alice.user, 1, [AT_ME]],
          [alice.user, 3, [AT_EVERYBODY]],
          [alice.user, 4, [AT_ME_AND_EVERYBODY]],
        ];
        assert.deepEqual(marks(await bob.conversationWhere({ group }, isMarked)), expected);
        const again = await server.startClient({ sdk, user: bob.user });
        assert.deepEqual(marks(await again.conversationWhere({ group }, isMarked)), expected);
        assert.deepEqual(marks(await alice.conversation({ group })), [], 'her own');

        // A package that takes everything to be read says nothing to the server.
        await unreadIs(again, group, 4);
        await readAll(again, group);
        await again.conversationWhere({ group }, (item) => marks(item).length === 0);
        const later = await server.startClient({ sdk, user: bob.user });
        await sayIn(alice, group, 'seen?');
        await later.message('seen?');
        assert.deepEqual(marks(await later.conversation({ group })), []);
        await Promise.all([again, later].map(signOut));
      });

      test('a message for some members is seen by them and by nobody else', async () => {
        const group = await groupOfThree();
        const carol = await server.startClient({ sdk, user: userNamed('carol') });
        await server.restOk('group_open_http_svc/add_group_member', {
          GroupId: group,
          MemberList: [{ Member_Account: carol.user }],
        });
        await sayIn(alice, group, `for all ${group}`);
        for (const client of [owner, bob, carol]) await client.message(`for all ${group}`);
        const text = `for bob ${group}`;
        await sayIn(alice, group, text, { message: { receiverList: [bob.user] } });
        await sayByRest(alice.user, group, `for the owner ${group}`, { To_Account: [owner.user] });
        await bob.message(text);
        await owner.message(`for the owner ${group}`);
        await unreadIs(bob, group, 1);

        // The devices that come later, too.
        const [bobLater, carolLater] = await Promise.all(
          [bob, carol].map(({ user }) => server.startClient({ sdk, user })),
        );
        const last = async (/** @type {Client} */ client) =>
          (await client.conversationWhere({ group }, (item) => item !== undefined)).lastMessage.payload.text;
        assert.deepEqual([await last(bobLater), await last(carolLater)], [text, `for all ${group}`]);
        assert.deepEqual(await textsOfHistory(bobLater, group), [`for all ${group}`, text]);
        assert.deepEqual(await textsOfHistory(carolLater, group), [`for all ${group}`]);
        for (const client of [bobLater, carolLater]) await unreadIs(client, group, 1);

        await sayIn(alice, group, `at last ${group}`);
        for (const client of [owner, bob, carol]) await client.message(`at last ${group}`);
        assert.deepEqual(textsIn(carol, group), [`for all ${group}`, `at last ${group}`]);
        assert.deepEqual(textsIn(bob, group), [`for all ${group}`, text, `at last ${group}`]);
        await Promise.all([bobLater, carolLater, carol].map(signOut));
      });

      test('what comes and goes is told in its place among the messages', async () => {
        const group = await groupOfThree();
        await sayIn(alice, group, 'one');
        await owner.call('setGroupMemberMuteTime', { groupID: group, userID: alice.user, muteTime: 60 });
        await sayIn(bob, group, 'two');
        await server.restOk('group_open_http_svc/delete_group_member', {
          GroupId: group,
          MemberToDel_Account: [alice.user],
        });
        await sayIn(bob, group, 'three');
        await owner.message((message) => message.to === group && message.payload.text === 'three');
        const seen = (/** @type {any[]} */ messages) =>
          messages.map(({ payload, sequence }) => [sequence, payload.text ?? payload.operationType]);
        const expected = [
          [1, 'one'],
          [2, TIP.member],
          [3, 'two'],
          [4, TIP.kicked],
          [5, 'three'],
        ];
        assert.deepEqual(seen(heardIn(owner, group)), expected);
        const again = await server.startClient({ sdk, user: owner.user });
        assert.deepEqual(seen((await historyOf(again, group)).messages), expected);
        await signOut(again);
      });
    });
  }
});

describe('group_open_http_svc/send_group_msg', () => {
  test('a repeated call with the same numbers and content is the same message', async () => {
    const owner = await server.startClient({ sdk: 'chat', user: userNamed('owner') });
    const group = await makeGroup(server, { owner });
    const message = groupText(group, 'said once', { From_Account: owner.user });
    const first = await server.restOk('group_open_http_svc/send_group_msg', message);
    const second = await server.restOk('group_open_http_svc/send_group_msg', message);
    assert.deepEqual([second.MsgSeq, second.MsgTime], [first.MsgSeq, first.MsgTime]);
    await sayByRest(owner.user, group, 'fence');
    await owner.message('fence');
    assert.equal(owner.timesReceived('said once'), 1);
    await owner.kill();
  });

  test('a flood is refused beyond 40 a second, and what was not refused is stored', async () => {
    const rest = (/** @type {string} */ operation, /** @type {object} */ body) =>
      server.rest(`group_open_http_svc/${operation}`, body, { app: limited });
    const [owner, group] = [userNamed('owner'), 'flooded'];
    await server.set({ 'rest.calls_per_second': 100_000 }, limited);
    await server.rest('im_open_login_svc/account_import', { UserID: owner }, { app: limited });
    const made = await rest('create_group', { Owner_Account: owner, Type: TYPE.public, GroupId: group, Name: 'flood' });
    assert.equal(made.ErrorCode, 0);
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        rest('send_group_msg', groupText(group, `drop ${index}`, { From_Account: owner })),
      ),
    );
    const seconds = (performance.now() - started) / 1_000;
    const stored = answers.filter(({ ErrorCode }) => ErrorCode === 0);
    assert.deepEqual([...new Set(answers.map(({ ErrorCode }) => ErrorCode))].sort(), [0, 10023]);
    assert.ok(stored.length >= 40 && stored.length <= 40 * (seconds + 1), `${stored.length} in ${seconds} s`);
    assert.deepEqual(
      stored.map(({ MsgSeq }) => MsgSeq).sort((a, b) => a - b),
      stored.map((_, index) => index + 1),
    );
    const { RspMsgList } = await rest('group_msg_get_simple', { GroupId: group, ReqMsgNumber: 20 });
    assert.equal(RspMsgList[0].MsgSeq, stored.length);
  });

  test('who is no member, or is muted, does not speak; a backend does for anybody', async () => {
    const [owner, stranger] = await Promise.all(
      ['owner', 'stranger'].map((name) => server.startClient({ sdk: 'chat', user: userNamed(name) })),
    );
    const group = await makeGroup(server, { owner });
    await refusedWith(sayIn(stranger, group, 'hello?'), 10007);
    await sayByRest(stranger.user, group, 'for him');
    assert.equal((await owner.message('for him')).from, stranger.user);
    assert.deepEqual(heardIn(owner, group).filter(isTip(group, TIP.joined)), []);
    await Promise.all([owner, stranger].map((client) => client.kill()));
  });
});
