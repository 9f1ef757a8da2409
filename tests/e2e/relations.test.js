/** Friends, friend requests, friend groups and blocked users: by both packages, told to both users and all their devices. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { FRIENDSHIP_SDKS, cleanUpAfterwards, refusedWith, startProxy, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({
    'login.policy': 'multi',
    'login.web_instances': 2,
    'friend.custom_fields': 'Rank',
    'rest.calls_per_second': 100000,
  });
});

const SOURCE = 'AddSource_Type_Tea';

/** Logs in and waits until the package has its lists. @param {import('./harness/client.js').Sdk} sdk @param {string} user */
async function start(sdk, user) {
  const client = await server.startClient({ sdk, user });
  await hasLists(client);
  return client;
}

/** @param {import('./harness/client.js').Client} client */
async function hasLists(client) {
  for (const list of ['friend_get', 'group_get', 'pendency_get']) await client.reply(`sns.${list}`);
}

/** @param {string} user @param {'AllowAny' | 'NeedConfirm' | 'DenyAny'} how */
function allow(user, how) {
  return server.restOk('profile/portrait_set', {
    From_Account: user,
    ProfileItem: [{ Tag: 'Tag_Profile_IM_AllowType', Value: `AllowType_Type_${how}` }],
  });
}

/** @param {import('./harness/client.js').Client} client */
async function friends(client) {
  const { data } = await client.call('getFriendList');
  return new Map(data.map((/** @type {any} */ friend) => [friend.userID, friend]));
}

/** Waits until the package shows a friend list that `predicate` accepts. @param {import('./harness/client.js').Client} client @param {(ids: string[], list: any[]) => boolean} predicate */
function friendsWhere(client, predicate) {
  return listWhere(client, 'onFriendListUpdated', 'getFriendList', (list) =>
    predicate(list.map((friend) => friend.userID).sort(), list),
  );
}

/**
 * Looks at a list, and again at each event that announces a change.
 *
 * @param {import('./harness/client.js').Client} client
 * @param {string} event
 * @param {string} method
 * @param {(data: any) => boolean} predicate
 */
async function listWhere(client, event, method, predicate) {
  const isEvent = (/** @type {{name: string}} */ { name }) => name === event;
  for (;;) {
    const seen = client.events.entries.filter(isEvent).length;
    const { data } = await client.call(method);
    if (predicate(data)) return data;
    await client.events.atLeast(seen + 1, isEvent).catch((error) => {
      throw new Error(`${client.label}: ${method} stayed ${JSON.stringify(data)}: ${error.message}`);
    });
  }
}

/** @param {import('./harness/client.js').Client} client @param {(list: any[], unread: number) => boolean} predicate */
function applicationsWhere(client, predicate) {
  return listWhere(client, 'onFriendApplicationListUpdated', 'getFriendApplicationList', (data) =>
    predicate(data.friendApplicationList, data.unreadCount),
  );
}

/** @param {any[]} clients */
async function end(...clients) {
  for (const client of clients) assert.deepEqual(client.uncaught, [], client.label);
  await Promise.all(clients.map((client) => client.kill()));
}

for (const sdk of FRIENDSHIP_SDKS) {
  describe(`relations with ${sdk}`, () => {
    test('who needs no consent is a friend at once, on all devices of both', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      const lap = await start(sdk, bob.user);
      await server.restOk('profile/portrait_set', {
        From_Account: bob.user,
        ProfileItem: [{ Tag: 'Tag_Profile_IM_Nick', Value: 'Bob' }],
      });
      const added = await alice.call('addFriend', { to: bob.user, source: SOURCE, remark: 'Bo', wording: 'hi' });
      assert.equal(added.data.code, 0);
      const [friend] = await friendsWhere(alice, (ids, list) => ids[0] === bob.user && list[0].profile.nick === 'Bob');
      assert.equal(friend.remark, 'Bo');
      assert.equal(friend.source, SOURCE);
      assert.ok(friend.addTime > 0);
      for (const device of [bob, lap]) await friendsWhere(device, (ids) => ids[0] === alice.user);

      const checked = await alice.call('checkFriend', { userIDList: [bob.user], type: 'CheckResult_Type_Both' });
      assert.equal(checked.data.successUserIDList[0].relation, 'CheckResult_Type_BothWay');
      await end(alice, bob, lap);
    });

    test('who is asked may accept; both are told, and the request is gone', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      const lap = await start(sdk, alice.user);
      await allow(bob.user, 'NeedConfirm');
      const asked = await alice.call('addFriend', { to: bob.user, source: SOURCE, wording: 'tea?', remark: 'Bo' });
      assert.equal(asked.data.code, 30539);
      const received = await applicationsWhere(bob, (list, unread) => list.length === 1 && unread === 1);
      assert.deepEqual(
        received.friendApplicationList.map((/** @type {any} */ { userID, wording, source, type }) => [
          userID,
          wording,
          source,
          type,
        ]),
        [[alice.user, 'tea?', SOURCE, 'Pendency_Type_ComeIn']],
      );
      for (const device of [alice, lap]) {
        await applicationsWhere(device, (list) => list[0]?.type === 'Pendency_Type_SendOut' && list.length === 1);
      }

      await bob.call('acceptFriendApplication', {
        userID: alice.user,
        remark: 'Al',
        type: 'Response_Action_AgreeAndAdd',
      });
      const [ofBob] = await friendsWhere(bob, (ids, list) => ids[0] === alice.user && list[0].remark === 'Al');
      assert.equal(ofBob.source, SOURCE);
      for (const device of [alice, lap]) {
        await friendsWhere(device, (ids, list) => ids[0] === bob.user && list[0].remark === 'Bo');
      }
      for (const device of [alice, lap, bob]) await applicationsWhere(device, (list) => list.length === 0);
      await end(alice, bob, lap);
    });

    test('who is asked may refuse, see, or delete the request', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      const lap = await start(sdk, bob.user);
      await allow(bob.user, 'NeedConfirm');
      await alice.call('addFriend', { to: bob.user, source: SOURCE, wording: 'one' });
      for (const device of [bob, lap]) await applicationsWhere(device, (list, unread) => unread === 1);
      await bob.call('setFriendApplicationRead');
      await applicationsWhere(lap, (list, unread) => list.length === 1 && unread === 0);
      await bob.call('refuseFriendApplication', { userID: alice.user });
      for (const device of [alice, bob, lap]) await applicationsWhere(device, (list) => list.length === 0);

      await alice.call('addFriend', { to: bob.user, source: SOURCE, wording: 'two' });
      await applicationsWhere(lap, (list) => list[0]?.wording === 'two');
      await applicationsWhere(bob, (list) => list[0]?.wording === 'two');
      await bob.call('deleteFriendApplication', { userID: alice.user, type: 'Pendency_Type_ComeIn' });
      for (const device of [alice, bob, lap]) await applicationsWhere(device, (list) => list.length === 0);
      assert.equal((await friends(alice)).size, 0);
      await refusedWith(bob.call('refuseFriendApplication', { userID: alice.user }), 30614);
      await end(alice, bob, lap);
    });

    test('two who ask each other at the same time are friends', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      await Promise.all([alice, bob].map((each) => allow(each.user, 'NeedConfirm')));
      await Promise.all([
        alice.call('addFriend', { to: bob.user, source: SOURCE }),
        bob.call('addFriend', { to: alice.user, source: SOURCE }),
      ]);
      await friendsWhere(alice, (ids) => ids[0] === bob.user);
      await friendsWhere(bob, (ids) => ids[0] === alice.user);
      for (const device of [alice, bob]) await applicationsWhere(device, (list) => list.length === 0);
      await end(alice, bob);
    });

    test('refusals come with their codes', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), userNamed('bob')];
      await server.restOk('im_open_login_svc/account_import', { UserID: bob });
      await allow(bob, 'DenyAny');
      await refusedWith(alice.call('addFriend', { to: bob, source: SOURCE }), 30516);
      await refusedWith(alice.call('addFriend', { to: userNamed('ghost'), source: SOURCE }), 30003);
      await server.restOk('sns/black_list_add', { From_Account: bob, To_Account: [alice.user] });
      await refusedWith(alice.call('addFriend', { to: bob, source: SOURCE }), 30525);
      await end(alice);
    });

    test('remark, custom field and groups of a friend are changed, also by the backend and on other devices', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), userNamed('bob')];
      const lap = await start(sdk, alice.user);
      await server.restOk('im_open_login_svc/account_import', { UserID: bob });
      await alice.call('addFriend', { to: bob, source: SOURCE });
      for (const device of [alice, lap]) await friendsWhere(device, (ids, list) => list[0]?.source === SOURCE);
      const field = { key: 'Tag_SNS_Custom_Rank', value: 'gold' };
      await alice.call('updateFriend', { userID: bob, remark: 'Bo', friendCustomField: [field] });
      for (const device of [alice, lap]) {
        const [friend] = await friendsWhere(device, (ids, list) => list[0].remark === 'Bo');
        assert.deepEqual(friend.friendCustomField, [field]);
      }
      await server.restOk('sns/friend_update', {
        From_Account: alice.user,
        UpdateItem: [{ To_Account: bob, SnsItem: [{ Tag: 'Tag_SNS_IM_Remark', Value: 'Bobby' }] }],
      });
      for (const device of [alice, lap]) await friendsWhere(device, (ids, list) => list[0].remark === 'Bobby');

      const made = await alice.call('createFriendGroup', { name: 'work', userIDList: [bob] });
      assert.deepEqual(made.data.friendGroup.userIDList, [bob]);
      await friendsWhere(lap, (ids, list) => list[0].groupList[0] === 'work');
      await alice.call('renameFriendGroup', { oldName: 'work', newName: 'office' });
      await alice.call('removeFromFriendGroup', { name: 'office', userIDList: [bob] });
      await friendsWhere(lap, (ids, list) => list[0].groupList.length === 0);
      await alice.call('addToFriendGroup', { name: 'office', userIDList: [bob] });
      const again = await start(sdk, userNamed('carol'));
      await end(again);
      const { data } = await alice.call('getFriendGroupList');
      assert.deepEqual(
        data.map((/** @type {any} */ { name, userIDList }) => [name, userIDList]),
        [['office', [bob]]],
      );
      await alice.kill();
      const desk = await start(sdk, alice.user);
      const groups = await listWhere(desk, 'onFriendGroupListUpdated', 'getFriendGroupList', (list) => list.length === 1);
      assert.deepEqual([groups[0].name, groups[0].userIDList], ['office', [bob]]);
      await desk.call('deleteFriendGroup', { name: 'office' });
      await friendsWhere(lap, (ids, list) => list[0].groupList.length === 0);
      await end(desk, lap);
    });

    test('a friend is removed from one list or from both', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      const lap = await start(sdk, alice.user);
      for (const [type, left] of [
        ['Delete_Type_Single', 1],
        ['Delete_Type_Both', 0],
      ]) {
        await alice.call('addFriend', { to: bob.user, source: SOURCE });
        for (const device of [alice, lap]) await friendsWhere(device, (ids) => ids[0] === bob.user);
        await friendsWhere(bob, (ids) => ids[0] === alice.user);
        const { data } = await alice.call('deleteFriend', { userIDList: [bob.user], type });
        assert.deepEqual(data.successUserIDList, [{ userID: bob.user }]);
        for (const device of [alice, lap]) await friendsWhere(device, (ids) => ids.length === 0);
        await friendsWhere(bob, (ids) => ids.length === left);
      }
      await end(alice, bob, lap);
    });

    test('a blocked user cannot write or ask, is no friend any more, and all own devices know', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      const lap = await start(sdk, alice.user);
      await alice.call('addFriend', { to: bob.user, source: SOURCE });
      for (const device of [alice, lap]) await friendsWhere(device, (ids) => ids[0] === bob.user);
      await friendsWhere(bob, (ids) => ids[0] === alice.user);
      await bob.sendText(alice.user, 'before');
      await alice.message('before');

      await alice.call('addToBlacklist', { userIDList: [bob.user] });
      for (const device of [alice, lap]) {
        await listWhere(device, 'blacklistUpdated', 'getBlacklist', (list) => list[0] === bob.user);
        await friendsWhere(device, (ids) => ids.length === 0);
      }
      await friendsWhere(bob, (ids) => ids.length === 0);
      await refusedWith(bob.sendText(alice.user, 'blocked'), 20007);
      await refusedWith(bob.call('addFriend', { to: alice.user, source: SOURCE }), 30525);
      await alice.sendText(bob.user, 'the other way');
      await bob.message('the other way');

      await alice.call('removeFromBlacklist', { userIDList: [bob.user] });
      await listWhere(lap, 'blacklistUpdated', 'getBlacklist', (list) => list.length === 0);
      await bob.sendText(alice.user, 'after');
      await alice.message('after');
      assert.equal(alice.timesReceived('blocked'), 0);
      await end(alice, bob, lap);
    });

    test('friends see a changed profile, strangers do not', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), await start(sdk, userNamed('bob'))];
      await server.restOk('sns/friend_import', {
        From_Account: bob.user,
        AddFriendItem: [{ To_Account: alice.user, AddSource: SOURCE }],
      });
      await friendsWhere(bob, (ids, list) => list[0]?.source === SOURCE);
      await alice.call('updateMyProfile', { nick: 'Alice in Teahouse' });
      await friendsWhere(bob, (ids, list) => list[0].profile.nick === 'Alice in Teahouse');
      await bob.call('updateMyProfile', { nick: 'Bob in Teahouse' });
      await bob.sendText(alice.user, 'what is pushed after a profile');
      await alice.message('what is pushed after a profile');
      const told = alice.frames.entries.filter(
        ({ direction, frame }) => direction === 'in' && JSON.stringify(frame.body).includes('ProfileDataMod'),
      );
      assert.deepEqual(told, [], 'bob is not in the friend list of alice');
      await end(alice, bob);
    });

    test('a device that was away finds its list as it is, also after a new login', async () => {
      const network = await startProxy(server);
      const alice = await server.startClient({ sdk, user: userNamed('alice'), through: network });
      await hasLists(alice);
      const [old, fresh, guest] = ['old', 'fresh', 'guest'].map(userNamed);
      await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: [old, fresh, guest] });
      const add = (/** @type {string} */ from) =>
        server.restOk('sns/friend_add', {
          From_Account: from,
          AddFriendItem: [{ To_Account: alice.user, AddSource: SOURCE }],
        });
      const remove = (/** @type {string} */ from) =>
        server.restOk('sns/friend_delete', {
          From_Account: from,
          To_Account: [alice.user],
          DeleteType: 'Delete_Type_Both',
        });
      await add(old);
      await friendsWhere(alice, (ids, list) => list[0]?.userID === old && list[0].source === SOURCE);
      await server.connectionsAged();
      network.hold();
      await add(fresh);
      await add(guest);
      await remove(old);
      await remove(guest);
      network.release();
      await friendsWhere(alice, (ids, list) => ids.length === 1 && list[0].userID === fresh && list[0].source === SOURCE);
      await end(alice);

      await remove(fresh);
      await server.restOk('sns/black_list_add', { From_Account: alice.user, To_Account: [old] });
      const again = await start(sdk, alice.user);
      assert.equal((await friends(again)).size, 0);
      await listWhere(again, 'blacklistUpdated', 'getBlacklist', (list) => list[0] === old);
      await end(again);
    });

    test('a deleted account disappears from the lists of others', async () => {
      const [alice, bob] = [await start(sdk, userNamed('alice')), userNamed('bob')];
      await server.restOk('im_open_login_svc/account_import', { UserID: bob });
      await alice.call('addFriend', { to: bob, source: SOURCE });
      await friendsWhere(alice, (ids, list) => list[0]?.source === SOURCE);
      await server.restOk('im_open_login_svc/account_delete', { DeleteItem: [{ UserID: bob }] });
      await friendsWhere(alice, (ids) => ids.length === 0);
      await end(alice);
    });
  });
}

test('what was acknowledged is there after the server was killed, on both sides', async () => {
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map(userNamed);
  await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: [alice, bob, carol] });
  const add = (/** @type {string} */ to) => ({ To_Account: to, AddSource: SOURCE });
  await server.restOk('sns/friend_add', { From_Account: alice, AddFriendItem: [bob, carol].map(add) });
  await server.restOk('sns/black_list_add', { From_Account: carol, To_Account: [alice] });
  await server.kill9();
  await server.start();
  const check = (/** @type {string} */ from) =>
    server.restOk('sns/friend_check', {
      From_Account: from,
      To_Account: [alice, bob, carol].filter((user) => user !== from),
      CheckType: 'CheckResult_Type_Both',
    });
  const relations = async (/** @type {string} */ from) =>
    (await check(from)).InfoItem.map((/** @type {any} */ { To_Account, Relation }) => [To_Account, Relation]);
  const [both, none] = ['CheckResult_Type_BothWay', 'CheckResult_Type_NoRelation'];
  assert.deepEqual(await relations(alice), [
    [bob, both],
    [carol, none],
  ]);
  assert.deepEqual(await relations(bob), [
    [alice, both],
    [carol, none],
  ]);
  assert.deepEqual(await relations(carol), [
    [alice, none],
    [bob, none],
  ]);
});

test('opposite requests at the same time leave both sides in agreement', async () => {
  const [alice, bob] = ['alice', 'bob'].map(userNamed);
  await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: [alice, bob] });
  const item = (/** @type {string} */ to) => [{ To_Account: to, AddSource: SOURCE }];
  /** @type {((from: string, to: string) => Promise<any>)[]} */
  const moves = [
    (from, to) => server.restOk('sns/friend_add', { From_Account: from, AddFriendItem: item(to) }),
    (from, to) => server.restOk('sns/friend_delete', { From_Account: from, To_Account: [to], DeleteType: 'Delete_Type_Both' }),
    (from, to) => server.restOk('sns/black_list_add', { From_Account: from, To_Account: [to] }),
    (from, to) => server.restOk('sns/black_list_delete', { From_Account: from, To_Account: [to] }),
  ];
  for (const ours of moves) {
    for (const theirs of moves) {
      await Promise.all([1, 2].flatMap(() => [ours(alice, bob), theirs(bob, alice)]));
      const relation = async (/** @type {string} */ from, /** @type {string} */ to) => {
        const answer = await server.restOk('sns/friend_check', {
          From_Account: from,
          To_Account: [to],
          CheckType: 'CheckResult_Type_Both',
        });
        return answer.InfoItem[0].Relation;
      };
      const mirrored = { AWithB: 'BWithA', BWithA: 'AWithB' };
      const seen = (await relation(alice, bob)).replace('CheckResult_Type_', '');
      const other = (await relation(bob, alice)).replace('CheckResult_Type_', '');
      assert.equal(other, /** @type {any} */ (mirrored)[seen] ?? seen, `${moves.indexOf(ours)} ${moves.indexOf(theirs)}`);
    }
  }
});
