/** What a user attaches to conversations on one device: pins, marks, custom data, groups of conversations. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, conversationID, startProxy, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

const STAR = 1;
const HIDDEN = 8;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2, 'rest.calls_per_second': 100_000 });
});

let sent = 0;
/** @param {string} from @param {string} to */
function write(from, to) {
  sent += 1;
  return server.restOk('openim/sendmsg', {
    From_Account: from,
    To_Account: to,
    MsgSeq: sent,
    MsgRandom: sent,
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: `message ${sent}` } }],
  });
}

/** @param {import('./harness/client.js').Client} client */
async function listed(client) {
  const { data } = await client.call('getConversationList');
  return data.conversationList.map((/** @type {any} */ item) => item.conversationID);
}

/** @param {import('./harness/client.js').Client} client @param {string[]} names */
async function groupsAre(client, names) {
  for (;;) {
    const seen = client.events.entries.filter(({ name }) => name === 'onConversationGroupListUpdated').length;
    const { data } = await client.call('getConversationGroupList');
    if (JSON.stringify([...data].sort()) === JSON.stringify(names)) return;
    await client.events.atLeast(seen + 1, ({ name }) => name === 'onConversationGroupListUpdated');
  }
}

for (const sdk of SDKS) {
  describe(`what is attached to conversations with ${sdk}`, () => {
    const bob = userNamed('bob');
    const carol = userNamed('carol');
    /** @type {import('./harness/client.js').Client} */ let desk;
    /** @type {import('./harness/client.js').Client} */ let lap;
    /** @type {Awaited<ReturnType<typeof startProxy>>} */ let proxy;

    /** A new user with two devices; bob wrote to him first, then carol, and there is a group. */
    async function twoDevices() {
      const user = userNamed('alice');
      const AccountList = [user, bob, carol].map((UserID) => ({ UserID }));
      await server.restOk('im_open_login_svc/multiaccount_import', { AccountList });
      const group = `tea-${user}`;
      await server.restOk('group_open_http_svc/create_group', {
        Type: 'Public',
        GroupId: group,
        Name: 'Tea',
        Owner_Account: user,
        MemberList: [{ Member_Account: bob }],
      });
      const text = [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'in the group' } }];
      await server.restOk('group_open_http_svc/send_group_msg', {
        GroupId: group,
        Random: 1,
        From_Account: bob,
        MsgBody: text,
      });
      await write(bob, user);
      await write(carol, user);
      proxy = await startProxy(server);
      desk = await server.startClient({ sdk, user });
      lap = await server.startClient({ sdk, user, through: proxy });
      for (const device of [desk, lap]) {
        for (const other of [bob, carol, { group }]) await device.conversationWhere(other, Boolean);
      }
      return { user, group };
    }

    test('a pin is seen on the other device, after a new login, and is gone with the conversation', async () => {
      const { user, group } = await twoDevices();
      const [withBob, inGroup] = [conversationID(bob), conversationID({ group })];
      const isPinned = (/** @type {any} */ conversation) => conversation?.isPinned === true;
      await desk.call('pinConversation', { conversationID: withBob, isPinned: true });
      await lap.conversationWhere(bob, isPinned);
      await desk.call('pinConversation', { conversationID: inGroup, isPinned: true });
      await lap.conversationWhere({ group }, isPinned);
      for (const device of [desk, lap]) {
        assert.equal((await listed(device)).at(-1), conversationID(carol), 'pinned ones come first');
        assert.equal(await device.call('getTotalUnreadMessageCount'), 3, 'a pin changes no count');
      }
      await desk.call('pinConversation', { conversationID: inGroup, isPinned: false });
      await lap.conversationWhere({ group }, (conversation) => !conversation.isPinned);

      await desk.kill();
      await lap.kill();
      const again = await server.startClient({ sdk, user });
      await again.conversationWhere(bob, isPinned);
      await again.conversationWhere({ group }, (conversation) => conversation?.isPinned === false);
      assert.equal((await listed(again))[0], withBob);
      assert.equal(await again.call('getTotalUnreadMessageCount'), 3);
      await again.call('deleteConversation', withBob);
      assert.equal(await again.call('getTotalUnreadMessageCount'), 2);
      await again.kill();
      await write(bob, user);
      const third = await server.startClient({ sdk, user });
      await third.conversationWhere(bob, (conversation) => conversation?.isPinned === false);
      assert.equal(await third.call('getTotalUnreadMessageCount'), 3);
      await third.kill();
    });

    test('deleting unpins on the device that keeps the conversation', async () => {
      await twoDevices();
      await desk.call('pinConversation', { conversationID: conversationID(bob), isPinned: true });
      await lap.conversationWhere(bob, (conversation) => conversation.isPinned);
      await desk.call('deleteConversation', conversationID(bob));
      await lap.conversationWhere(bob, (conversation) => conversation?.isPinned === false);
      for (const device of [desk, lap]) await device.kill();
    });

    test('marks and custom data are seen on the other device, after a new login, and outlive the conversation', async () => {
      const { user, group } = await twoDevices();
      const conversationIDList = [conversationID(bob), conversationID({ group })];
      const { data } = await desk.call('markConversation', { conversationIDList, markType: STAR, enableMark: true });
      assert.deepEqual(data.successConversationIDList, conversationIDList);
      await desk.call('markConversation', {
        conversationIDList: [conversationID(bob)],
        markType: HIDDEN,
        enableMark: true,
      });
      await desk.call('setConversationCustomData', { conversationIDList, customData: 'the first' });
      const isMarked = (/** @type {any} */ conversation) =>
        JSON.stringify(conversation?.markList) === JSON.stringify([STAR, HIDDEN]) &&
        conversation.customData === 'the first';
      await lap.conversationWhere(bob, isMarked);
      await lap.conversationWhere(
        { group },
        ({ markList, customData }) => markList.length === 1 && markList[0] === STAR && customData === 'the first',
      );
      assert.equal(await lap.call('getTotalUnreadMessageCount'), 3, 'a mark changes no count');

      await desk.call('deleteConversation', conversationID(bob));
      await write(bob, user);
      // The older package learns it with its next list only.
      if (sdk === 'chat') await desk.conversationWhere(bob, isMarked);
      for (const device of [desk, lap]) await device.kill();
      const again = await server.startClient({ sdk, user });
      await again.conversationWhere(bob, isMarked);
      await again.call('markConversation', {
        conversationIDList: [conversationID(bob)],
        markType: STAR,
        enableMark: false,
      });
      await again.call('setConversationCustomData', { conversationIDList: [conversationID(bob)], customData: '' });
      await again.kill();
      const third = await server.startClient({ sdk, user });
      await third.conversationWhere(
        bob,
        (conversation) => JSON.stringify(conversation?.markList) === `[${HIDDEN}]` && conversation.customData === '',
      );
      await third.kill();
    });

    test('a group that one is not in is reported as the one that could not be marked', async () => {
      const { group } = await twoDevices();
      await server.restOk('group_open_http_svc/delete_group_member', {
        GroupId: group,
        MemberToDel_Account: [desk.user],
      });
      const conversationIDList = [conversationID(bob), conversationID({ group })];
      const known = await listed(desk);
      const { data } = await desk.call('setConversationCustomData', { conversationIDList, customData: 'x' });
      assert.deepEqual(data.successConversationIDList, [conversationID(bob)]);
      assert.equal(data.failureConversationIDList.length, 1, JSON.stringify(known));
      for (const device of [desk, lap]) await device.kill();
    });

    test('groups of conversations are made, renamed, filled and deleted on one device and seen on the other', async () => {
      const { user, group } = await twoDevices();
      const all = [conversationID(bob), conversationID({ group })];
      const made = await desk.call('createConversationGroup', { conversationIDList: all, groupName: 'work' });
      assert.deepEqual(made.data.successConversationIDList, all);
      const isIn =
        (/** @type {string[]} */ ...names) =>
        (/** @type {any} */ conversation) =>
          JSON.stringify(conversation?.conversationGroupList) === JSON.stringify(names);
      await groupsAre(lap, ['work']);
      for (const other of [bob, { group }]) await lap.conversationWhere(other, isIn('work'));

      const added = await desk.call('addConversationsToGroup', {
        conversationIDList: [conversationID(carol)],
        groupName: 'work',
      });
      assert.deepEqual(added.data.successConversationIDList, [conversationID(carol)]);
      await lap.conversationWhere(carol, isIn('work'));
      const removed = await desk.call('deleteConversationsFromGroup', {
        conversationIDList: [conversationID({ group })],
        groupName: 'work',
      });
      assert.deepEqual(removed.data.successConversationIDList, [conversationID({ group })]);
      await lap.conversationWhere({ group }, isIn());

      await desk.call('renameConversationGroup', { oldName: 'work', newName: 'office' });
      await groupsAre(lap, ['office']);
      await lap.conversationWhere(bob, isIn('office'));
      await desk.call('createConversationGroup', { conversationIDList: [conversationID(bob)], groupName: 'tea' });
      await lap.conversationWhere(bob, isIn('office', 'tea'));

      for (const device of [desk, lap]) await device.kill();
      const again = await server.startClient({ sdk, user });
      await groupsAre(again, ['office', 'tea']);
      await again.conversationWhere(bob, isIn('office', 'tea'));
      await again.conversationWhere(carol, isIn('office'));
      await again.conversationWhere({ group }, isIn());
      await again.call('deleteConversationGroup', 'office');
      await again.kill();
      const third = await server.startClient({ sdk, user });
      await groupsAre(third, ['tea']);
      await third.conversationWhere(bob, isIn('tea'));
      await third.conversationWhere(carol, isIn());
      await third.kill();
    });

    test('a device that was away for a moment knows all of it when it is back', async () => {
      const { group } = await twoDevices();
      const [withBob, withCarol] = [conversationID(bob), conversationID(carol)];
      await desk.call('pinConversation', { conversationID: withBob, isPinned: true });
      await desk.call('setConversationCustomData', { conversationIDList: [withBob], customData: 'old' });
      await desk.call('createConversationGroup', { conversationIDList: [withBob], groupName: 'gone' });
      await lap.conversationWhere(bob, ({ isPinned, customData }) => isPinned && customData === 'old');
      await groupsAre(lap, ['gone']);

      proxy.hold();
      await desk.call('pinConversation', { conversationID: withBob, isPinned: false });
      await desk.call('pinConversation', { conversationID: conversationID({ group }), isPinned: true });
      await desk.call('setConversationCustomData', { conversationIDList: [withBob], customData: '' });
      await desk.call('markConversation', { conversationIDList: [withCarol], markType: STAR, enableMark: true });
      await desk.call('createConversationGroup', { conversationIDList: [withCarol], groupName: 'new' });
      await desk.call('deleteConversationGroup', 'gone');
      proxy.release();

      await lap.conversationWhere(bob, ({ isPinned, customData }) => !isPinned && customData === '');
      await lap.conversationWhere({ group }, ({ isPinned }) => isPinned);
      await lap.conversationWhere(
        carol,
        ({ markList, conversationGroupList }) => markList[0] === STAR && conversationGroupList[0] === 'new',
      );
      await groupsAre(lap, ['new']);
      for (const device of [desk, lap]) await device.kill();
    });

    test('REST and the devices have one state', async () => {
      const { user } = await twoDevices();
      const contact = { Type: 1, To_Account: bob };
      await server.restOk('recentcontact/mark_contact', {
        From_Account: user,
        MarkItem: [{ OptType: 3, ContactItem: contact, SetMark: [0], CustomMark: 'by REST' }],
      });
      await server.restOk('recentcontact/create_contact_group', {
        From_Account: user,
        GroupContactItem: [{ GroupName: 'vip', ContactItem: [contact] }],
      });
      for (const device of [desk, lap]) {
        await device.conversationWhere(
          bob,
          ({ markList, customData, conversationGroupList }) =>
            markList[0] === STAR && customData === 'by REST' && conversationGroupList[0] === 'vip',
        );
        await groupsAre(device, ['vip']);
      }
      await desk.call('renameConversationGroup', { oldName: 'vip', newName: 'friends' });
      const { ContactItem, GroupItem } = await server.restOk('recentcontact/get_contact_group', {
        From_Account: user,
        StartIndex: 0,
      });
      assert.deepEqual(GroupItem, [{ GroupName: 'friends', GroupId: 1 }]);
      const { Timestamp, ...attached } = ContactItem[0];
      assert.deepEqual(attached, { ...contact, StandardMark: '1', CustomMark: 'by REST', ContactGroupId: [1] });
      assert.ok(Timestamp > 0);
      for (const device of [desk, lap]) await device.kill();
    });
  });
}
