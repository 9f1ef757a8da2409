/** How a session ends: by logout, by a login as somebody else, by REST. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  cleanUpAfterwards,
  nowSeconds,
  refusedWith,
  sign,
  signAt,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

/** @param {string} user */
async function statusOf(user) {
  const { QueryResult } = await server.restOk('openim/query_online_status', { To_Account: [user] });
  return QueryResult[0].Status;
}

for (const sdk of SDKS) {
  describe(`sessions with ${sdk}`, () => {
    test('a logout ends the session, not the connection; another user may log in on it', async () => {
      const [alice, carol] = [userNamed('alice'), userNamed('carol')];
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const client = await server.startClient({ sdk, user: alice });
      await client.call('logout');
      await client.next('sdkStateNotReady');
      assert.equal(await statusOf(alice), 'Offline');

      await client.login({ userID: carol, userSig: sign(server.app, carol) });
      await client.settled();
      assert.equal((await client.call('getMyProfile')).data.userID, carol);
      assert.equal(await statusOf(carol), 'Online');
      await bob.sendText(alice, 'for alice');
      await bob.sendText(carol, 'for carol');
      await client.message('for carol');
      assert.equal(client.timesReceived('for alice'), 0, 'the first user has left this connection');
      assert.equal(client.frames.entries.filter(({ direction }) => direction === 'open').length, 1);

      await client.call('logout');
      await client.login({ userID: alice, userSig: sign(server.app, alice) });
      await client.conversationWhere(bob.user, (conversation) => conversation?.unreadCount === 1);
      await Promise.all([bob, client].map((each) => each.kill()));
    });

    test('a session token is worth nothing after the logout', async () => {
      const user = userNamed('alice');
      const client = await server.startClient({ sdk, user });
      const { body } = await client.reply('im_open_status.wslogin');
      await client.call('logout');
      const connection = await server.openRaw();
      connection.credentials = { a2: body.A2Key, tinyid: body.TinyId, status_instid: body.InstId };
      const { ErrorCode } = await connection.ask('openim.getmsg', { Cookie: '', SyncFlag: 0 });
      // A package that has just logged out may still be sending: these three would end the session of whoever is next.
      assert.ok(![0, 1002, 20002, 70001].includes(ErrorCode), `${ErrorCode}`);
      await client.kill();
    });

    test('REST ends all sessions of a user and voids the signatures issued so far', async () => {
      const user = userNamed('alice');
      const client = await server.openClient({ sdk, user });
      const userSig = sign(server.app, user);
      await client.login({ userID: user, userSig });
      await client.settled();

      await server.restOk('im_open_login_svc/kick', { UserID: user });
      const { type } = await client.next('kickedOut');
      assert.equal(type, 'REST_API_Kick');
      await client.next('sdkStateNotReady');
      assert.equal(await statusOf(user), 'Offline');
      await refusedWith(client.call('login', { userID: user, userSig }), 70052);

      const fresh = signAt(server.app, user, { issuedAt: nowSeconds() + 2 });
      await client.login({ userID: user, userSig: fresh });
      assert.equal((await client.call('getMyProfile')).data.userID, user);
      assert.equal(await statusOf(user), 'Online');
      await client.kill();
    });

    test('a deleted account is put out', async () => {
      const user = userNamed('alice');
      const client = await server.startClient({ sdk, user });
      await server.restOk('im_open_login_svc/account_delete', { DeleteItem: [{ UserID: user }] });
      await client.next('kickedOut');
      await client.kill();
    });
  });
}

describe('online status', () => {
  test('it follows the connections: Online, and not Online once they are gone', async () => {
    const user = userNamed('alice');
    await server.restOk('im_open_login_svc/account_import', { UserID: user });
    assert.equal(await statusOf(user), 'Offline');
    const connection = await server.openRaw();
    await connection.login(user);
    assert.equal(await statusOf(user), 'Online');
    await connection.ask('im_open_status.wslogout', { wslogout_type: 0, is_web_uniapp: 0 });
    assert.equal(await statusOf(user), 'Offline');
  });

  test('an unknown user is listed as an error beside the known ones', async () => {
    const [user, ghost] = [userNamed('alice'), userNamed('ghost')];
    await server.restOk('im_open_login_svc/account_import', { UserID: user });
    for (const operation of ['openim/query_online_status', 'openim/querystate']) {
      const answer = await server.restOk(operation, { To_Account: [user, ghost] });
      assert.deepEqual(answer.QueryResult, [
        { To_Account: user, [operation.endsWith('state') ? 'State' : 'Status']: 'Offline' },
      ]);
      assert.deepEqual(
        answer.ErrorList.map((/** @type {any} */ item) => [item.To_Account, item.ErrorCode]),
        [[ghost, 70107]],
      );
    }
  });

  test('a native platform is named as such', async () => {
    const user = userNamed('alice');
    const connection = await server.openRaw({ query: { platform: '2' } });
    await connection.login(user);
    const { QueryResult } = await server.restOk('openim/query_online_status', { To_Account: [user], IsNeedDetail: 1 });
    assert.deepEqual(QueryResult[0].Detail, [{ Platform: 'Android', Status: 'Online' }]);
  });
});
