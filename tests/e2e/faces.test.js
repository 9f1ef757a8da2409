/** What the one port offers besides the commands: CORS, health, metrics, errors, prefixes, both frame formats. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ADMINISTRATOR, SDKS, cleanUpAfterwards, nowSeconds, sign, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

const query = (changes = {}) =>
  new URLSearchParams({
    sdkappid: String(server.app.id),
    identifier: ADMINISTRATOR,
    usersig: sign(server.app, ADMINISTRATOR),
    random: '1',
    contenttype: 'json',
    ...changes,
  });

describe('HTTP', () => {
  test('a browser page from anywhere may call: the answer and the preflight say so', async () => {
    const url = `${server.url}/v4/im_open_login_svc/account_check?${query()}`;
    const answer = await fetch(url, {
      method: 'POST',
      body: '{"CheckItem":[{"UserID":"x"}]}',
      headers: { Origin: 'https://page.example' },
    });
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.equal((await answer.json()).ErrorCode, 0);
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://page.example',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
    });
    assert.ok(preflight.ok, `${preflight.status}`);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);
    assert.notEqual(preflight.headers.get('access-control-allow-headers'), null);
  });

  test('errors carry the same headers and HTTP status 200', async () => {
    const answer = await fetch(`${server.url}/v4/im_open_login_svc/account_check?${query({ usersig: 'x' })}`, {
      method: 'POST',
      body: '{}',
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.equal((await answer.json()).ErrorCode, 70003);
  });

  test('health, readiness and metrics are served', async () => {
    for (const path of ['/healthz', '/readyz']) assert.equal((await fetch(server.url + path)).status, 200, path);
    await server.restOk('im_open_login_svc/account_check', { CheckItem: [{ UserID: 'x' }] });
    const metrics = await fetch(`${server.url}/metrics`);
    assert.equal(metrics.status, 200);
    assert.match(await metrics.text(), /^teahouse_requests_total\{.*face="rest".*\} [1-9]/m);
  });

  test('an unknown command is refused with 60009, never answered with a bare OK', async () => {
    for (const operation of ['openim/no_such_command', 'no_such_svc/sendmsg', 'openim/SendMsg']) {
      const answer = await server.rest(operation, {});
      assert.equal(answer.ActionStatus, 'FAIL', operation);
      assert.equal(answer.ErrorCode, 60009, operation);
    }
  });

  test('a body that is no JSON, or no object, is refused, whatever its content type', async () => {
    const url = `/v4/im_open_login_svc/account_check?${query()}`;
    for (const body of ['{"CheckItem":', '', '[]', 'null']) {
      const { ErrorCode, ActionStatus } = await (await server.post(url, body)).json();
      assert.ok([60003, 70402].includes(ErrorCode), `${body}: ${ErrorCode}`);
      assert.equal(ActionStatus, 'FAIL');
    }
    const form = await fetch(server.url + url, {
      method: 'POST',
      body: '{"CheckItem":[{"UserID":"x"}]}',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    assert.equal((await form.json()).ErrorCode, 0);
  });

  test('a URL that is not of the form is refused with 60002', async () => {
    const get = await fetch(`${server.url}/v4/im_open_login_svc/account_check?${query()}`);
    assert.equal((await get.json()).ErrorCode, 60002);
  });

  test('each family has its own number for a bad argument', async () => {
    /** @type {[string, object, number[]][]} */
    const expected = [
      ['im_open_login_svc/account_check', {}, [70402]],
      ['profile/portrait_get', {}, [40002, 40001]],
      ['openim/query_online_status', { To_Account: [] }, [90001]],
      ['recentcontact/get_list', {}, [50002]],
    ];
    for (const [operation, body, codes] of expected) {
      const answer = await server.rest(operation, body);
      assert.ok(codes.includes(answer.ErrorCode), `${operation}: ${JSON.stringify(answer)}`);
    }
  });
});

describe('WebSocket', () => {
  for (const sdk of SDKS) {
    test(`any path prefix leads to the gateway (${sdk})`, async () => {
      const client = await server.startClient({ sdk, user: userNamed('alice'), prefix: '/some/prefix' });
      await client.call('getMyProfile');
      const open = client.frames.entries.find(({ direction }) => direction === 'open');
      assert.match(open?.url ?? '', /\/some\/prefix\/binfo\?/);
      await client.kill();
    });

    test(`the text face serves the package's development mode (${sdk})`, async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice'), createOptions: { devMode: true } });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      for (const [from, to] of [
        [alice, bob],
        [bob, alice],
      ]) {
        await from.sendText(to.user, 'text or binary');
        await to.message('text or binary');
      }
      const open = alice.frames.entries.find(({ direction }) => direction === 'open');
      assert.match(open?.url ?? '', /\/info\?/);
      for (const { direction, binary } of alice.frames.entries) if (direction === 'in') assert.equal(binary, false);
      for (const { direction, binary } of bob.frames.entries) if (direction === 'in') assert.equal(binary, true);
      await Promise.all([alice, bob].map((each) => each.kill()));
    });
  }

  for (const face of /** @type {const} */ (['binfo', 'info'])) {
    test(`frames on /${face} are ${face === 'info' ? 'text' : 'binary'}; replies echo command and seq`, async () => {
      const connection = await server.openRaw({ face });
      const user = userNamed('alice');
      assert.equal((await connection.login(user)).ErrorCode, 0);
      const { binary, frame } = await connection.exchange('profile.portrait_get_all', {
        From_Account: user,
        UserItem: [{ To_Account: user, StandardSequence: 0, CustomSequence: 0 }],
      });
      assert.equal(binary, face === 'binfo');
      assert.equal(frame.head.servcmd, 'profile.portrait_get_all');
      assert.equal(frame.body.ActionStatus, 'OK');
      await connection.close();
    });
  }

  test('an unknown command is an error, with the command and seq of the question', async () => {
    const connection = await server.openRaw();
    await connection.login(userNamed('alice'));
    for (const command of ['openim.no_such_command', 'no_such_svc.sendmsg', 'nothing']) {
      const { frame } = await connection.exchange(command, {});
      assert.notEqual(frame.body.ErrorCode, 0, command);
      assert.equal(frame.body.ActionStatus, 'FAIL');
    }
  });

  test('what only a backend may do is refused to a user', async () => {
    const connection = await server.openRaw();
    await connection.login(userNamed('alice'));
    for (const command of ['im_open_login_svc.account_delete', 'im_open_login_svc.kick', 'openim.admin_getroammsg']) {
      assert.notEqual((await connection.ask(command, {})).ErrorCode, 0, command);
    }
  });

  test('a user sends in his own name only', async () => {
    const [alice, bob, mallory] = [userNamed('alice'), userNamed('bob'), userNamed('mallory')];
    const [attacker, victim] = [await server.openRaw(), await server.openRaw()];
    await attacker.login(mallory);
    await victim.login(bob);
    const reply = await attacker.ask('openim.sendmsg', {
      From_Account: alice,
      To_Account: bob,
      MsgSeq: 1,
      MsgRandom: 1,
      MsgClientTime: nowSeconds(),
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'it is me, alice' } }],
    });
    if (reply.ErrorCode === 0) {
      const event = await victim.pushed((each) => each.C2cMsgArray !== undefined);
      assert.equal(event.C2cMsgArray[0].From_Account, mallory);
    }
  });

  test('long frames are compressed for those who can take it, and for nobody else', async () => {
    const [from, to] = [userNamed('from'), userNamed('to')];
    await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
    const text = 'tea '.repeat(2000);
    await server.restOk('openim/sendmsg', {
      From_Account: from,
      To_Account: to,
      MsgRandom: 1,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
    });
    const question = {
      Peer_Account: from,
      MaxCnt: 15,
      LastMsgTime: 0,
      MsgKey: '',
      WithRecalledMsg: 1,
      GetDirection: 0,
    };
    for (const [able, face] of /** @type {const} */ ([
      [true, 'binfo'],
      [false, 'binfo'],
      [false, 'info'],
    ])) {
      const connection = await server.openRaw({ face, query: able ? { compress: 'gzip' } : {} });
      await connection.login(to);
      const { compressed, frame } = await connection.exchange('openim.getroammsg', question);
      assert.equal(compressed, able, `${face}, able ${able}`);
      assert.equal(frame.body.MsgList[0].MsgBody[0].MsgContent.Text, text);
      await connection.close();
    }
  });

  for (const sdk of SDKS) {
    test(`${sdk} reads what it is sent, compressed if it says that it can`, async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const text = 'a long story '.repeat(500);
      await alice.sendText(bob.user, text);
      await bob.message(text);
      const { compressed } = await bob.frames.next(
        ({ direction, frame }) => direction === 'in' && frame.head.servcmd === 'im_open_push.msg_push',
      );
      const { url } = bob.frames.entries.find(({ direction }) => direction === 'open') ?? {};
      assert.equal(compressed, /[?&]compress=gzip/.test(url ?? ''));
      await Promise.all([alice, bob].map((each) => each.kill()));
    });
  }

  test('nonsense on the socket ends at most that connection', async () => {
    const bystander = await server.openRaw();
    await bystander.login(userNamed('bystander'));
    for (const nonsense of [
      Buffer.from('no JSON'),
      Buffer.from('{}'),
      Buffer.from('[1]'),
      Buffer.from('{"head":{},"body":{}}'),
      Buffer.alloc(100_000, 0xff),
      'text',
    ]) {
      const connection = await server.openRaw();
      connection.socket.send(nonsense);
      connection.post('heartbeat.alive');
      await Promise.race([
        connection.closed,
        connection.frames.next(({ frame }) => frame.head.servcmd === 'heartbeat.alive'),
      ]);
      await connection.terminate();
    }
    assert.equal((await bystander.ask('heartbeat.alive')).ErrorCode, 0);
  });
});

describe('what the lite package reads differently', () => {
  /** @type {import('./harness/raw.js').RawConnection} */ let connection;
  /** @type {string} */ let user;
  /** @type {string} */ let peer;

  before(async () => {
    [user, peer] = [userNamed('alice'), userNamed('bob')];
    await server.restOk('im_open_login_svc/account_import', { UserID: peer });
    connection = await server.openRaw({ query: { sdkversion: '4.2.1' } });
    await connection.login(user);
    await server.restOk('openim/sendmsg', {
      From_Account: peer,
      To_Account: user,
      MsgRandom: 1,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'hello' } }],
    });
  });

  test('each profile that is asked for has at least one item, also of a user without any', async () => {
    const { UserProfileItem } = await connection.ask('profile.portrait_get_all', {
      From_Account: user,
      UserItem: [user, peer].map((To_Account) => ({ To_Account, StandardSequence: 0, CustomSequence: 0 })),
    });
    assert.deepEqual(
      UserProfileItem.map((/** @type {any} */ item) => item.To_Account),
      [user, peer],
    );
    for (const { ProfileItem } of UserProfileItem) assert.ok(ProfileItem.length >= 1);
  });

  test('a conversation names the last sender in both spellings, and its last message is not empty', async () => {
    const reply = await connection.ask('recentcontact.page_get', {
      From_Account: user,
      TimeStamp: 0,
      StartIndex: 0,
      TopTimeStamp: 0,
      TopStartIndex: 0,
      OrderType: 1,
      MsgAssistFlags: 15,
      AssistFlags: 31,
    });
    assert.equal(reply.CompleteFlag, 1);
    for (const cursor of ['TimeStamp', 'StartIndex', 'TopTimeStamp', 'TopStartIndex'])
      assert.equal(typeof reply[cursor], 'number');
    const [item] = reply.SessionItem;
    assert.deepEqual([item.Type, item.To_Account], [1, peer]);
    assert.equal(item.LastC2CMsgFrom_Account, peer);
    assert.equal(item.LastC2cMsgFrom_Account, peer);
    assert.equal(item.LastMsg.MsgBody.length, 1);
    assert.equal(item.UnreadMsgCount, 1);
    assert.ok(item.MsgTime === item.MsgTimeStamp && item.MsgTime > 0);
  });
});

describe('replies that would put a client into a loop', () => {
  test('lists say that they are complete', async () => {
    const connection = await server.openRaw();
    const user = userNamed('alice');
    await connection.login(user);
    const blacklist = await connection.ask('sns.black_list_get', {
      From_Account: user,
      StartIndex: 0,
      MaxLimited: 1000,
    });
    assert.deepEqual([blacklist.ErrorCode, blacklist.BlackListItem, blacklist.StartIndex], [0, [], 0]);
    const friends = await connection.ask('sns.friend_get', {
      From_Account: user,
      StartIndex: 0,
      StandardSequence: 0,
      CustomSequence: 0,
    });
    assert.deepEqual([friends.ErrorCode, friends.CompleteFlag], [0, 1]);
    for (const service of ['group_open_http_svc', 'million_group_open_http_svc']) {
      const groups = await connection.ask(`${service}.get_joined_group_list`, {
        Member_Account: user,
        Limit: 200,
        Offset: 0,
      });
      assert.ok(groups.ErrorCode === 11000 || (groups.ErrorCode === 0 && groups.TotalCount === 0), service);
    }
    const offline = await connection.ask('openim.getmsg', { Cookie: '', SyncFlag: 0, IsOnlineSync: 0 });
    assert.equal(offline.SyncFlag, 2);
    assert.equal(typeof offline.Cookie, 'string');
    assert.notEqual(offline.Cookie, '', 'an empty one makes the packages drop the whole reply');
    const groups = await connection.ask('recentcontact.get_contact_group', { From_Account: user, StartIndex: 0 });
    assert.equal(groups.CompleteFlag, 1);
    const config = await connection.ask('im_sdk_config_mgr.fetch_config', {
      uint32_sdkappid: server.app.id,
      uint64_version: 0,
    });
    assert.equal(config.int32_error_code, 0);
    assert.ok(config.uint32_expired_time > 0);
    assert.equal(typeof JSON.parse(config.str_json_config), 'object');
    const bits = await connection.ask('im_sdk_config_mgr.fetch_imsdk_purchase_bitsv2', {
      uint32_sdkappid: server.app.id,
    });
    assert.match(bits.str_purchase_bits, /^[01]{1,64}$/);
    assert.equal((await connection.ask('openim.authkey', {})).ErrorCode, 0);
    assert.equal(
      (await connection.ask('imopenstat.tim_web_report_v2', { Header: {}, Event: [], Quality: [] })).ErrorCode,
      0,
    );
  });

  test('read times have the order and length of the question', async () => {
    const connection = await server.openRaw();
    await connection.login(userNamed('alice'));
    const peers = [userNamed('ghost'), userNamed('ghost'), userNamed('ghost')];
    const { ReadTime } = await connection.ask('openim.get_peer_read_time', { To_Account: peers });
    assert.deepEqual(ReadTime, [0, 0, 0]);
  });

  test('an acknowledgement of a push is not answered', async () => {
    const connection = await server.openRaw();
    await connection.login(userNamed('alice'));
    connection.post('openim.ws_msg_push_ack', { SessionData: 'anything' });
    await connection.ask('heartbeat.alive');
    assert.equal(
      connection.frames.entries.some(({ frame }) => frame.head.servcmd === 'openim.ws_msg_push_ack'),
      false,
    );
  });
});
