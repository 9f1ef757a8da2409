/** Following, with the package that has it: counts, lists, and what is told to both users and all their devices. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { cleanUpAfterwards, refusedWith, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2 });
});

/** @param {string} user */
const start = (user) => server.startClient({ sdk: 'chat', user });

/** @param {any} list */
const ids = (list) => list.data.resultList.map((/** @type {any} */ user) => user.userID);

describe('following with chat', () => {
  test('both users and their devices are told; lists, counts and checks agree', async () => {
    const [alice, bob] = [await start(userNamed('alice')), await start(userNamed('bob'))];
    const lap = await start(alice.user);
    await alice.call('updateMyProfile', { nick: 'Alice' });
    const followed = await alice.call('followUser', [bob.user]);
    assert.equal(followed.data[0].resultCode, 0);
    const told = await bob.next('onMyFollowersListUpdated', (data) => data.isAdd);
    assert.deepEqual([told.userInfoList[0].userID, told.userInfoList[0].nick], [alice.user, 'Alice']);
    for (const device of [alice, lap]) {
      const own = await device.next('onMyFollowingListUpdated', (data) => data.isAdd);
      assert.equal(own.userInfoList[0].userID, bob.user);
    }
    assert.deepEqual(ids(await alice.call('getMyFollowingList')), [bob.user]);
    const followers = await bob.call('getMyFollowersList');
    assert.deepEqual(ids(followers), [alice.user]);
    assert.equal(followers.data.resultList[0].nick, 'Alice');
    assert.ok(followers.data.resultList[0].followTime > 0);

    await bob.call('followUser', [alice.user]);
    for (const device of [alice, bob]) await device.next('onMutualFollowersListUpdated', (data) => data.isAdd);
    assert.deepEqual(ids(await alice.call('getMutualFollowersList')), [bob.user]);
    assert.deepEqual((await alice.call('getUserFollowInfo', [bob.user])).data, [
      { followersCount: 1, followingCount: 1, mutualFollowersCount: 1 },
    ]);
    assert.deepEqual((await alice.call('checkFollowType', [bob.user])).data, [{ userID: bob.user, followType: 3 }]);

    await alice.call('unfollowUser', [bob.user]);
    const gone = await bob.next('onMyFollowersListUpdated', (data) => !data.isAdd);
    assert.deepEqual(gone.userInfoList, [alice.user]);
    await lap.next('onMyFollowingListUpdated', (data) => !data.isAdd);
    await bob.next('onMutualFollowersListUpdated', (data) => !data.isAdd);
    assert.deepEqual((await alice.call('checkFollowType', [bob.user])).data, [{ userID: bob.user, followType: 2 }]);
    for (const client of [alice, bob, lap]) assert.deepEqual(client.uncaught, []);
    await Promise.all([alice, bob, lap].map((client) => client.kill()));
  });

  test('followers come by page', async () => {
    const star = await start(userNamed('star'));
    const fans = Array.from({ length: 3 }, (_, n) => `fan-${n}-${star.user}`);
    await server.restOk('im_open_login_svc/multiaccount_import', { Accounts: fans });
    for (const fan of fans) {
      await server.restOk('follow/follow_add', { From_Account: fan, FollowItem: [{ To_Account: star.user }] });
    }
    const found = [];
    for (let cursor = ''; ; ) {
      const page = await server.restOk('follow/follow_get', {
        From_Account: star.user,
        FollowType: 1,
        StartCursor: cursor,
        WantNum: 2,
      });
      found.push(...page.FollowItem.map((/** @type {any} */ item) => item.To_Account));
      cursor = page.NextCursor;
      if (cursor === '') break;
    }
    assert.deepEqual(found, fans);
    assert.deepEqual(ids(await star.call('getMyFollowersList')), fans);
    await star.kill();
  });

  test('an app that has switched it off refuses', async () => {
    const alice = await start(userNamed('alice'));
    await server.set({ 'follow.enabled': 'off' });
    await refusedWith(alice.call('followUser', [userNamed('bob')]), 30005);
    await server.set({ 'follow.enabled': 'on' });
    await alice.kill();
  });
});
