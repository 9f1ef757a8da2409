/** The server is killed and started again: clients go on, and nothing that was acknowledged is gone. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, nowSeconds, sign, startServer, storedTexts, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** A client that found the server gone comes back with its next hello, so this may take longer than other things. */
const RETURN_DEADLINE_MS = 90_000;

/** A server whose clients say hello often. */
async function startGreetedServer() {
  const server = await startServer();
  await server.set({ 'login.hello_s': 5 });
  return server;
}

describe('after a crash', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    test(`${sdk}: connected clients go on without a login by their users`, async () => {
      const server = await startGreetedServer();
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      await server.kill9();
      await server.restart();

      await alice.sendText(bob.user, 'after');
      await bob.received.next((message) => message.payload.text === 'after', {
        deadlineMs: RETURN_DEADLINE_MS,
        what: 'message after the crash',
      });
      await bob.sendText(alice.user, 'answer');
      await alice.message('answer');
      assert.deepEqual([bob.timesReceived('before'), bob.timesReceived('after')], [1, 1]);
      for (const client of [alice, bob]) {
        assert.equal(
          client.events.entries.some(({ name }) => name === 'kickedOut' || name === 'sdkStateNotReady'),
          false,
        );
        const logins = client.frames.entries.filter(
          ({ direction, frame }) => direction === 'out' && frame.head.servcmd === 'im_open_status.wslogin',
        );
        assert.equal(logins.length, 2);
        assert.notEqual(logins[1].frame.head.a2, undefined, 'the second one is by session token');
      }
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 2);
      assert.deepEqual(await storedTexts(server, alice.user, bob.user), ['before', 'after', 'answer']);
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
    });

    test(`${sdk}: a client that found the server gone comes back by itself once it is there again`, async () => {
      const server = await startGreetedServer();
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const alice = userNamed('alice');
      await server.restOk('im_open_login_svc/account_import', { UserID: alice });
      await server.kill9();
      await bob.next('netStateChange', ({ state }) => state === 'disconnected', { deadlineMs: RETURN_DEADLINE_MS });
      await server.restart();
      await server.restOk('openim/sendmsg', {
        From_Account: alice,
        To_Account: bob.user,
        MsgSeq: 1,
        MsgRandom: 1,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'welcome back' } }],
      });
      await bob.received.next((message) => message.payload.text === 'welcome back', {
        deadlineMs: RETURN_DEADLINE_MS,
        what: 'message',
      });
      await bob.conversationWhere(alice, (conversation) => conversation?.unreadCount === 1);
      await server.stop();
    });

    test(`${sdk}: every send that was acknowledged is stored once, killed in the midst of them`, async () => {
      const server = await startGreetedServer();
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = userNamed('bob');
      await server.restOk('im_open_login_svc/account_import', { UserID: bob });
      const texts = Array.from({ length: 60 }, (_, index) => `message ${index}`);
      const sending = texts.map((text) =>
        alice.sendText(bob, text).then(
          () => ({ text, acknowledged: true }),
          () => ({ text, acknowledged: false }),
        ),
      );
      await alice.frames.atLeast(
        10,
        ({ direction, frame }) => direction === 'in' && frame.head.servcmd === 'openim.sendmsg',
      );
      await server.kill9();
      await server.restart();
      await alice.sendText(bob, 'the one that brings the client back');

      const outcomes = await Promise.all(sending);
      const stored = await storedTexts(server, alice.user, bob);
      assert.equal(new Set(stored).size, stored.length, `something is stored twice: ${stored}`);
      const missing = outcomes.filter(({ text, acknowledged }) => acknowledged && !stored.includes(text));
      assert.deepEqual(missing, []);
      assert.ok(outcomes.filter(({ acknowledged }) => acknowledged).length >= 10);
      await Promise.all([alice.kill(), server.stop()]);
    });
  }

  test('accounts, profiles, settings, administrators and voided signatures are what they were', async () => {
    const server = await startServer();
    const [alice, boss] = [userNamed('alice'), userNamed('boss')];
    await server.restOk('im_open_login_svc/multiaccount_import', {
      AccountList: [{ UserID: alice, Nick: 'Alice' }, { UserID: boss }],
    });
    await server.set({ 'login.policy': 'multi', 'login.web_instances': 3 });
    await server.ctl('app', 'admin', String(server.app.id), 'add', boss);
    const voided = sign(server.app, alice);
    await server.restOk('im_open_login_svc/kick', { UserID: alice });
    const tinyIdBefore = (await (await server.openRaw()).login(boss)).TinyId;
    await server.kill9();
    await server.restart();

    const { UserProfileItem } = await server.restOk('profile/portrait_get', {
      To_Account: [alice],
      TagList: ['Tag_Profile_IM_Nick'],
    });
    assert.deepEqual(UserProfileItem[0].ProfileItem, [{ Tag: 'Tag_Profile_IM_Nick', Value: 'Alice' }]);
    const shown = await server.ctl('app', 'show', String(server.app.id));
    assert.match(shown, /login\.web_instances\D+3/);
    assert.equal(
      (await server.rest('im_open_login_svc/account_check', { CheckItem: [{ UserID: alice }] }, { identifier: boss }))
        .ErrorCode,
      0,
    );
    assert.equal((await (await server.openRaw()).login(alice, voided)).ErrorCode, 70052);
    assert.equal((await (await server.openRaw()).login(boss)).TinyId, tinyIdBefore);
    await server.stop();
  });

  test('a read mark that was sent long before the crash is kept', async () => {
    const server = await startServer();
    const [alice, bob] = [userNamed('alice'), userNamed('bob')];
    await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: alice }, { UserID: bob }] });
    const send = (/** @type {number} */ MsgRandom) =>
      server.restOk('openim/sendmsg', {
        From_Account: alice,
        To_Account: bob,
        MsgRandom,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'x' } }],
      });
    const { MsgTime } = await send(1);
    const reader = await server.openRaw();
    await reader.login(bob);
    const item = { To_Account: alice, LastedMsgTime: MsgTime, Receipt: 1 };
    assert.equal(
      (await reader.ask('openim.msgreaded', { C2CMsgReaded: { Cookie: '', C2CMsgReadedItem: [item] } })).ErrorCode,
      0,
    );
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await server.start();
    await send(2);
    const again = await server.openRaw();
    await again.login(bob);
    const { C2CPairUnreadCount } = await again.ask('openim.getmsg', { Cookie: '', SyncFlag: 0, IsOnlineSync: 0 });
    assert.deepEqual(C2CPairUnreadCount, [{ From_Account: alice, UnreadCount: 1 }]);
    await server.stop();
  });
});

describe('a stop on request', () => {
  let server = /** @type {import('./harness/server.js').Server} */ (/** @type {unknown} */ (undefined));

  before(async () => {
    server = await startServer();
  });

  test('SIGTERM closes the connections, ends with 0 and keeps everything', async () => {
    const connection = await server.openRaw();
    const [alice, bob] = [userNamed('alice'), userNamed('bob')];
    await connection.login(alice);
    await server.restOk('im_open_login_svc/account_import', { UserID: bob });
    const sent = await connection.ask('openim.sendmsg', {
      From_Account: alice,
      To_Account: bob,
      MsgSeq: 1,
      MsgRandom: 1,
      MsgClientTime: nowSeconds(),
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'kept' } }],
    });
    assert.equal(sent.ErrorCode, 0);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await connection.closed;
    await server.start();
    assert.deepEqual(await storedTexts(server, bob, alice), ['kept']);
  });
});
