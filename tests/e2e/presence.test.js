/** Whether users are there, what they say about themselves, and who is told. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, newApp, startProxy, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;
/** Whose users may have two Web clients. */
const several = newApp();
/** Where a lost connection counts for a second. */
const strict = newApp(several.id + 1);
/** With a policy that knows kinds of devices. */
const triple = newApp(several.id + 2);

const [ONLINE, AWAY, NOT_LOGGED_IN] = [1, 2, 3];

before(async () => {
  server = await startServer({ apps: [several, strict, triple] });
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2 }, several);
  await server.set({ 'presence.grace_s': 1 }, strict);
  await server.set({ 'login.policy': 'triple' }, triple);
  // `connectionsAged` asks often.
  await server.set({ 'rest.calls_per_second': 100_000 });
});

/** @param {string} userID @param {number} statusType @param {string} [customStatus] */
const says =
  (userID, statusType, customStatus) =>
  /** @param {any[]} list */ (list) =>
    list.some(
      (item) =>
        item.userID === userID &&
        item.statusType === statusType &&
        (customStatus === undefined || item.customStatus === customStatus),
    );

/** What a client was told of a user, in order. @param {import('./harness/client.js').Client} client @param {string} userID */
const told = (client, userID) =>
  client.events.entries
    .filter(({ name }) => name === 'onUserStatusUpdated')
    .flatMap(({ data }) => data.filter((/** @type {any} */ item) => item.userID === userID))
    .map((/** @type {any} */ item) => item.statusType);

/** @param {import('./harness/client.js').Client} client @param {string} userID */
async function statusOf(client, userID) {
  const { data } = await client.call('getUserStatus', { userIDList: [userID] });
  return data.successUserList[0];
}

/** @param {string} user @param {import('./harness/server.js').App} app */
const imported = (user, app) => server.restOk('im_open_login_svc/account_import', { UserID: user }, { app });

for (const sdk of SDKS) {
  describe(`presence with ${sdk}`, () => {
    test('who watches a user is told when he comes, what he says, and when he logs out', async () => {
      const app = several;
      const bob = userNamed('bob');
      await imported(bob, app);
      const alice = await server.startClient({ sdk, user: userNamed('alice'), app });
      assert.deepEqual(await statusOf(alice, bob), { userID: bob, statusType: NOT_LOGGED_IN, customStatus: '' });
      const { data } = await alice.call('subscribeUserStatus', { userIDList: [bob, 'nobody-at-all'] });
      assert.deepEqual(
        data.failureUserList.map((/** @type {any} */ item) => [item.userID, item.code]),
        [['nobody-at-all', 70107]],
      );

      const his = await server.startClient({ sdk, user: bob, app });
      await alice.next('onUserStatusUpdated', says(bob, ONLINE, ''));
      await his.call('setSelfStatus', { customStatus: '☕ at tea' });
      await alice.next('onUserStatusUpdated', says(bob, ONLINE, '☕ at tea'));
      assert.equal((await statusOf(alice, bob)).customStatus, '☕ at tea');
      await his.call('logout');
      await alice.next('onUserStatusUpdated', says(bob, NOT_LOGGED_IN, '☕ at tea'));

      await alice.call('unsubscribeUserStatus', { userIDList: [bob] });
      const again = await server.startClient({ sdk, user: bob, app });
      assert.equal((await statusOf(again, bob)).customStatus, '☕ at tea', 'the login has told it');
      assert.equal((await statusOf(alice, bob)).statusType, ONLINE);
      await alice.call('subscribeUserStatus', { userIDList: [bob] });
      await again.call('setSelfStatus', { customStatus: '' });
      await alice.next('onUserStatusUpdated', says(bob, ONLINE, ''));
      assert.deepEqual(told(alice, bob), [ONLINE, ONLINE, NOT_LOGGED_IN, ONLINE], 'nothing while she did not watch');
      for (const client of [alice, his, again]) await client.kill();
    });

    test('what a user says about himself is shown on all his devices', async () => {
      const app = several;
      const user = userNamed('alice');
      const desk = await server.startClient({ sdk, user, app });
      const lap = await server.startClient({ sdk, user, app });
      await desk.call('setSelfStatus', { customStatus: 'busy' });
      for (const device of [desk, lap]) await device.next('onUserStatusUpdated', says(user, ONLINE, 'busy'));
      assert.equal((await statusOf(lap, user)).customStatus, 'busy');
      for (const device of [desk, lap]) await device.kill();
    });

    test('who comes back at once was never away, for those who watch', async () => {
      const app = several;
      const alice = await server.startClient({ sdk, user: userNamed('alice'), app });
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      await alice.call('subscribeUserStatus', { userIDList: [bob.user] });
      await server.connectionsAged();
      await bob.cutSocket();
      await bob.reply('im_open_status.wslogin');
      await bob.call('setSelfStatus', { customStatus: 'back' });
      await alice.next('onUserStatusUpdated', says(bob.user, ONLINE, 'back'));
      assert.deepEqual(told(alice, bob.user), [ONLINE]);
      for (const client of [alice, bob]) await client.kill();
    });

    test('who does not come back is offline after the grace', async () => {
      const app = strict;
      const alice = await server.startClient({ sdk, user: userNamed('alice'), app });
      const bob = await server.startClient({ sdk, user: userNamed('bob'), app });
      const phone = await server.openRaw({ app, query: { platform: '3' } });
      const carol = userNamed('carol');
      await phone.login(carol);
      await alice.call('subscribeUserStatus', { userIDList: [bob.user, carol] });
      await bob.kill();
      await alice.next('onUserStatusUpdated', says(bob.user, NOT_LOGGED_IN));
      await phone.terminate();
      await alice.next('onUserStatusUpdated', says(carol, AWAY));
      const { QueryResult } = await server.restOk(
        'openim/query_online_status',
        { To_Account: [bob.user, carol], IsNeedDetail: 1 },
        { app },
      );
      assert.deepEqual(QueryResult, [
        { To_Account: bob.user, Status: 'Offline' },
        { To_Account: carol, Status: 'PushOnline', Detail: [{ Platform: 'iPhone', Status: 'PushOnline' }] },
      ]);
      await alice.kill();
    });

    test('a client that closes its connection for good is offline at once', async () => {
      const app = several;
      const alice = await server.startClient({ sdk, user: userNamed('alice'), app });
      const page = await server.openRaw({ app });
      const bob = userNamed('bob');
      await page.login(bob);
      await alice.call('subscribeUserStatus', { userIDList: [bob] });
      await page.close();
      await alice.next('onUserStatusUpdated', says(bob, NOT_LOGGED_IN));
      await alice.kill();
    });

    test('a device that comes back watches whom it has watched, also after a restart of the server', async () => {
      const app = newApp();
      const own = await startServer({ apps: [app] });
      await own.set({ 'rest.calls_per_second': 100_000 });
      const proxy = await startProxy(own);
      const alice = await own.startClient({ sdk, user: userNamed('alice'), through: proxy });
      const bob = await own.openRaw();
      const name = userNamed('bob');
      await bob.login(name);
      await alice.call('subscribeUserStatus', { userIDList: [name] });
      await own.connectionsAged();
      proxy.hold();
      await bob.ask('im_open_status.wslogout', { wslogout_type: 0, is_web_uniapp: 0 });
      proxy.release();
      await alice.next('onUserStatusUpdated', says(name, NOT_LOGGED_IN));
      const second = await own.openRaw();
      await second.login(name);
      await alice.next('onUserStatusUpdated', says(name, ONLINE));

      await own.connectionsAged();
      proxy.hold();
      await own.kill9();
      await own.start();
      proxy.release();
      await alice.next('onUserStatusUpdated', says(name, NOT_LOGGED_IN));
      const third = await own.openRaw();
      await third.login(name);
      await alice.next('onUserStatusUpdated', says(name, ONLINE));
      await alice.kill();
      await own.kill9();
    });

    test('the login policy knows kinds of devices', async () => {
      const app = triple;
      const user = userNamed('alice');
      const web = await server.startClient({ sdk, user, app });
      const phone = await server.openRaw({ app, query: { platform: '2' } });
      await phone.login(user);
      const desktop = await server.openRaw({ app, query: { platform: '1' } });
      await desktop.login(user);
      const detail = async () => {
        const query = { To_Account: [user], IsNeedDetail: 1 };
        const { QueryResult } = await server.restOk('openim/query_online_status', query, { app });
        return QueryResult[0].Detail.map((/** @type {any} */ item) => `${item.Platform} ${item.Status}`).sort();
      };
      assert.deepEqual(await detail(), ['Android Online', 'PC Online', 'Web Online']);

      const isKick = (/** @type {any} */ event) => event.C2cNotifyMsgArray?.[0].KickoutMsgNotify?.KickType === 2;
      const mac = await server.openRaw({ app, query: { platform: '4' } });
      await mac.login(user);
      await desktop.pushed(isKick);
      const tablet = await server.openRaw({ app, query: { platform: '13' } });
      await tablet.login(user);
      const { C2cNotifyMsgArray } = await phone.pushed(isKick);
      assert.equal(C2cNotifyMsgArray[0].KickoutMsgNotify.NewInstInfo.Platform, 'iPad');
      assert.deepEqual(await detail(), ['Mac Online', 'Web Online', 'iPad Online']);
      const other = await server.startClient({ sdk, user, app });
      assert.equal((await web.next('kickedOut')).type, 'multipleAccount');
      await other.kill();
    });
  });
}

describe('presence', () => {
  test('a device watches no more users than it may: those it asked for first go', async () => {
    const app = several;
    await server.set({ 'presence.subscriptions_max': 2 }, app);
    const users = [userNamed('u'), userNamed('u'), userNamed('u')];
    for (const user of users) await imported(user, app);
    const alice = await server.openRaw({ app });
    await alice.login(userNamed('alice'));
    await alice.ask('im_open_status.ws_status_subscribe', { To_Account: users.slice(0, 2) });
    await alice.ask('im_open_status.ws_status_subscribe', { To_Account: users.slice(2) });
    const seen = (/** @type {string} */ user) => (/** @type {any} */ event) =>
      event.UserStatusList?.some((/** @type {any} */ item) => item.To_Account === user);
    for (const user of users) await (await server.openRaw({ app })).login(user);
    for (const user of users.slice(1)) await alice.pushed(seen(user));
    const pushes = alice.frames.entries.flatMap(({ frame }) => frame.body.EventArray ?? []);
    assert.equal(pushes.some(seen(users[0])), false);
    await server.set({ 'presence.subscriptions_max': 200 }, app);
  });

  test('what changes within a moment is told once', async () => {
    const app = several;
    const bob = userNamed('bob');
    await imported(bob, app);
    const alice = await server.openRaw({ app });
    await alice.login(userNamed('alice'));
    await alice.ask('im_open_status.ws_status_subscribe', { To_Account: [bob] });
    const his = await server.openRaw({ app });
    await his.login(bob);
    const texts = Array.from({ length: 10 }, (_, index) => `text ${index}`);
    for (const CustomStatus of texts) his.post('im_open_status.ws_set_custom_status', { CustomStatus });
    const last = Buffer.from('text 9').toString('base64');
    await alice.pushed((event) => event.UserStatusList?.[0].CustomStatus === last);
    const pushes = alice.frames.entries.filter(({ frame }) => frame.body.EventArray?.[0].UserStatusList);
    assert.ok(pushes.length < texts.length, `${pushes.length} pushes`);
  });
});
