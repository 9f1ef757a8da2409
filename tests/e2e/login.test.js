/** Who may log in, and what a login shows: UserSigs good and bad, through the client packages and through REST. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  ADMINISTRATOR,
  SDKS,
  cleanUpAfterwards,
  newApp,
  nowSeconds,
  refusedWith,
  sign,
  signAt,
  startServer,
  tamper,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;
const app = newApp();
const otherApp = newApp(app.id + 1);

before(async () => {
  server = await startServer({ apps: [app, otherApp] });
});

/**
 * What is wrong with a UserSig, how to make one for `user`, and the code of the refusal.
 *
 * @type {{what: string, code: number, make: (user: string) => string}[]}
 */
const BAD_SIGNATURES = [
  { what: 'expired', code: 70001, make: (user) => signAt(app, user, { issuedAt: nowSeconds() - 100, lifetimeS: 50 }) },
  {
    what: 'without any lifetime',
    code: 70001,
    make: (user) => signAt(app, user, { issuedAt: nowSeconds(), lifetimeS: 0 }),
  },
  { what: 'truncated', code: 70003, make: (user) => sign(app, user).slice(0, -10) },
  { what: 'not a UserSig at all', code: 70003, make: () => 'neither-compressed-nor-JSON' },
  {
    what: "made with another app's key",
    code: 70009,
    make: (user) => sign({ id: app.id, secret: otherApp.secret }, user),
  },
  {
    what: 'tampered with: another user written in',
    code: 70009,
    make: (user) => tamper(sign(app, userNamed('mallory')), { 'TLS.identifier': user }),
  },
  {
    what: 'tampered with: a longer lifetime written in',
    code: 70009,
    make: (user) =>
      tamper(signAt(app, user, { issuedAt: nowSeconds() - 100, lifetimeS: 50 }), { 'TLS.expire': 9_000_000 }),
  },
  { what: "another user's", code: 70013, make: () => sign(app, userNamed('mallory')) },
  { what: 'made for another app', code: 70014, make: (user) => sign(otherApp, user) },
];

for (const sdk of SDKS) {
  describe(`login with ${sdk}`, () => {
    test('a user with a good signature is let in, created on the way and known to REST', async () => {
      const user = userNamed('alice');
      const client = await server.startClient({ sdk, user });

      const { data: profile } = await client.call('getMyProfile');
      assert.equal(profile.userID, user);
      const check = await server.restOk('im_open_login_svc/account_check', { CheckItem: [{ UserID: user }] });
      assert.equal(check.ResultItem[0].AccountStatus, 'Imported');
      const status = await server.restOk('openim/query_online_status', { To_Account: [user], IsNeedDetail: 1 });
      assert.equal(status.QueryResult[0].Status, 'Online');
      assert.deepEqual(status.QueryResult[0].Detail, [{ Platform: 'Web', Status: 'Online' }]);
      assert.deepEqual(client.uncaught, [], 'a request of the package after login was refused');
      assert.deepEqual(client.strayRequests, []);
    });

    test('the reply to a login carries what every later request needs', async () => {
      const client = await server.startClient({ sdk, user: userNamed('alice') });
      const { body } = await client.reply('im_open_status.wslogin');

      assert.match(body.A2Key, /./);
      assert.match(body.TinyId, /^[0-9]+$/, 'TinyId is a string of digits: it has 64 bits');
      assert.ok(Math.abs(body.TimeStamp - nowSeconds()) <= 60);
      assert.ok(body.HelloInterval >= 15 && body.HelloInterval <= 30, `HelloInterval ${body.HelloInterval}`);
      assert.ok(body.InstId > 0);
      const profile = await client.request('profile.portrait_get_all');
      assert.equal(profile.head.a2, body.A2Key);
      assert.equal(profile.head.tinyid, body.TinyId);
      assert.equal(profile.head.status_instid, body.InstId);
    });

    test('after login, every command that the package sends by itself is answered without an error', async () => {
      const client = await server.startClient({ sdk, user: userNamed('alice') });
      await client.reply('im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2');
      const asked = client.frames.entries.filter(
        ({ direction, frame }) => direction === 'out' && frame.head.servcmd !== 'openim.ws_msg_push_ack',
      );
      for (const { frame } of asked) {
        const { servcmd, seq } = frame.head;
        const [reply] = await client.frames.atLeast(
          1,
          (entry) => entry.direction === 'in' && entry.frame.head.servcmd === servcmd && entry.frame.head.seq === seq,
          { what: `reply to ${servcmd}` },
        );
        const { ErrorCode, int32_error_code: configCode } = reply.frame.body;
        assert.equal(ErrorCode ?? configCode, 0, `${servcmd}: ${JSON.stringify(reply.frame.body)}`);
      }
      assert.ok(asked.length >= 9, `only ${asked.length} requests were seen`);
    });

    for (const { what, code, make } of BAD_SIGNATURES) {
      test(`a signature that is ${what} is refused with ${code}, and a good one lets in afterwards`, async () => {
        const user = userNamed('eve');
        const client = await server.openClient({ sdk, user });
        await refusedWith(client.call('login', { userID: user, userSig: make(user) }), code);
        await client.login({ userID: user, userSig: sign(app, user) });
        assert.equal((await client.call('getMyProfile')).data.userID, user);
      });
    }
  });
}

describe('signatures at the REST face', () => {
  test("the administrator's good signature is accepted, by either of two apps", async () => {
    for (const each of [app, otherApp]) {
      const answer = await server.rest(
        'im_open_login_svc/account_check',
        { CheckItem: [{ UserID: 'x' }] },
        { app: each },
      );
      assert.equal(answer.ErrorCode, 0);
      assert.equal(answer.ActionStatus, 'OK');
    }
  });

  for (const { what, code, make } of BAD_SIGNATURES) {
    test(`a signature that is ${what} is refused with ${code}`, async () => {
      const answer = await server.rest('im_open_login_svc/account_check', {}, { sig: make(ADMINISTRATOR) });
      assert.equal(answer.ActionStatus, 'FAIL');
      assert.equal(answer.ErrorCode, code, answer.ErrorInfo);
      assert.notEqual(answer.ErrorInfo, '');
    });
  }

  test('an empty signature is refused with 70002', async () => {
    assert.equal((await server.rest('im_open_login_svc/account_check', {}, { sig: '' })).ErrorCode, 70002);
  });

  test('a user who is no administrator is refused: with 60010, or the number of the family', async () => {
    const user = userNamed('alice');
    await server.restOk('im_open_login_svc/account_import', { UserID: user });
    const answer = await server.rest('im_open_login_svc/account_check', { CheckItem: [] }, { identifier: user });
    assert.ok([60010, 70403].includes(answer.ErrorCode), JSON.stringify(answer));
  });

  test('an unknown app is refused with 60006', async () => {
    const unknown = newApp(1_500_000_001);
    assert.equal((await server.rest('im_open_login_svc/account_check', {}, { app: unknown })).ErrorCode, 60006);
  });

  test('a missing SDKAppID is refused with 60012, a missing identifier with 60004 or 60005', async () => {
    const sig = encodeURIComponent(sign(app, ADMINISTRATOR));
    const path = '/v4/im_open_login_svc/account_check?random=1&contenttype=json';
    const noApp = await server.post(`${path}&identifier=${ADMINISTRATOR}&usersig=${sig}`, '{}');
    assert.equal((await noApp.json()).ErrorCode, 60012);
    const noUser = await server.post(`${path}&sdkappid=${app.id}&usersig=${sig}`, '{}');
    assert.ok([60004, 60005].includes((await noUser.json()).ErrorCode));
  });
});

describe('guessing', () => {
  test('after many failures for one user the reason is not told any more; a good signature still lets in', async () => {
    const guarded = newApp(app.id + 2);
    await server.ctl('app', 'create', String(guarded.id), guarded.secret);
    await server.set({ 'login.failures_per_minute': 3 }, guarded);
    const [user, bystander] = [userNamed('target'), userNamed('bystander')];
    const forged = (/** @type {string} */ name) => sign({ id: guarded.id, secret: otherApp.secret }, name);
    const connection = await server.openRaw({ app: guarded });
    const codes = [];
    for (let guess = 0; guess < 5; guess += 1) codes.push((await connection.login(user, forged(user))).ErrorCode);
    assert.deepEqual(codes, [70009, 70009, 70009, 70050, 70050]);
    assert.equal((await connection.login(bystander, forged(bystander))).ErrorCode, 70009);
    assert.equal((await connection.login(user)).ErrorCode, 0);
  });
});

describe('signatures at the gateway, as bare frames', () => {
  test('an empty signature is refused with 70002, and so is a request without a session', async () => {
    const connection = await server.openRaw();
    assert.equal((await connection.login(userNamed('alice'), '')).ErrorCode, 70002);
    connection.credentials = { identifier: '', usersig: '' };
    const refused = await connection.ask('openim.getmsg', { Cookie: '', SyncFlag: 0 });
    assert.notEqual(refused.ErrorCode, 0);
  });

  test('a session token that was changed anywhere is refused', async () => {
    const alice = await server.openRaw();
    const { A2Key: token, TinyId: tinyId } = await alice.login(userNamed('alice'));
    const stranger = await server.openRaw();
    for (let position = 0; position < token.length; position += 7) {
      const changed = token.slice(0, position) + (token[position] === 'A' ? 'B' : 'A') + token.slice(position + 1);
      stranger.credentials = { a2: changed, tinyid: tinyId };
      assert.notEqual(
        (await stranger.ask('openim.getmsg', { Cookie: '', SyncFlag: 0 })).ErrorCode,
        0,
        `at ${position}`,
      );
    }
    stranger.credentials = { a2: token, tinyid: tinyId };
    assert.equal(
      (await stranger.ask('openim.getmsg', { Cookie: '', SyncFlag: 0 })).ErrorCode,
      0,
      'unchanged it is good',
    );
  });
});
