/** Webhooks before an operation: what the endpoint decides holds for everybody, with both packages. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import {
  FRIENDSHIP_SDKS,
  OK,
  SDKS,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  makeGroup,
  refusedWith,
  sayIn,
  startEndpoint,
  startServer,
  textsIn,
  textsOfHistory,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;
/** @type {import('./harness/endpoint.js').Endpoint} */
let endpoint;

before(async () => {
  server = await startServer();
  endpoint = await startEndpoint();
  await server.set({
    'login.policy': 'multi',
    'login.web_instances': 2,
    'rest.calls_per_second': 100_000,
    'webhook.url': endpoint.url,
    'webhook.commands': 'all',
    'webhook.allow_private': 'on',
    'webhook.token': 'xxxxyyyy',
  });
});

beforeEach(() => {
  endpoint.answer = () => OK;
});

const text = (/** @type {string} */ said) => [{ MsgType: 'TIMTextElem', MsgContent: { Text: said } }];
const rewriteTo = (/** @type {string} */ said) => ({ ...OK, MsgBody: text(said), CloudCustomData: 'by the hook' });

/** Waits until the package shows its own message as the webhook has made it. @param {Client} client @param {string} said */
const modified = (client, said) =>
  client.events.next(
    ({ name, data }) => name === 'onMessageModified' && data.some((/** @type {any} */ m) => m.payload.text === said),
    { what: `own message as ${said}` },
  );

for (const sdk of SDKS) {
  describe(`before a one-to-one message with ${sdk}`, () => {
    const COMMAND = 'C2C.CallbackBeforeSendMsg';
    const AFTER = 'C2C.CallbackAfterSendMsg';
    /** @type {Client} */ let alice;
    /** @type {Client} */ let bob;

    before(async () => {
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      bob = await server.startClient({ sdk, user: userNamed('bob') });
    });

    const heard = (/** @type {string} */ said) => bob.received.next(({ payload }) => payload.text === said);

    test('it is asked with the documented query and body, and lets the message pass', async () => {
      await alice.sendText(bob.user, 'passes', { message: { cloudCustomData: 'mine' } });
      const { query, body } = await endpoint.next(COMMAND, ({ From_Account }) => From_Account === alice.user);
      assert.equal(query.get('SdkAppid'), String(server.app.id));
      assert.equal(query.get('contenttype'), 'json');
      assert.equal(query.get('OptPlatform'), 'Web');
      assert.equal(query.get('ClientIP'), '127.0.0.1');
      assert.match(query.get('Sign') ?? '', /^[0-9a-f]{64}$/);
      assert.match(query.get('RequestTime') ?? '', /^\d{10}$/);
      assert.deepEqual(body, {
        CallbackCommand: COMMAND,
        From_Account: alice.user,
        To_Account: bob.user,
        MsgSeq: body.MsgSeq,
        MsgRandom: body.MsgRandom,
        MsgTime: body.MsgTime,
        MsgKey: `${body.MsgSeq}_${body.MsgRandom}_${body.MsgTime}`,
        OnlineOnlyFlag: 0,
        MsgBody: text('passes'),
        CloudCustomData: 'mine',
        EventTime: body.EventTime,
      });
      await heard('passes');
      const after = await endpoint.next(AFTER, ({ From_Account }) => From_Account === alice.user);
      assert.equal(after.body.SendMsgResult, 0);
      assert.equal(after.body.UnreadMsgNum, 1);
      assert.deepEqual(after.body.MsgBody, text('passes'));
      assert.ok(after.event, 'events have names');
    });

    test('it refuses, with the standard code or one of its own', async () => {
      for (const [code, told] of [
        [1, 20006],
        [120_001, 120_001],
        [130_000, 130_000],
      ]) {
        endpoint.on(COMMAND, () => ({ ActionStatus: 'FAIL', ErrorCode: code, ErrorInfo: `no, ${code}` }));
        const refused = await refusedWith(alice.sendText(bob.user, `refused ${code}`), told);
        if (code !== 1) assert.match(refused.message, new RegExp(`no, ${code}`));
      }
      endpoint.answer = () => OK;
      await alice.sendText(bob.user, 'goes on');
      await heard('goes on');
      assert.ok(!bob.received.entries.some(({ payload }) => payload.text?.startsWith('refused')));
      assert.ok(!endpoint.of(AFTER).some(({ body }) => JSON.stringify(body).includes('refused')));
    });

    test('it drops a message that its sender takes to be sent', async () => {
      endpoint.on(COMMAND, () => ({ ...OK, ErrorCode: 2 }));
      await alice.sendText(bob.user, 'dropped');
      endpoint.answer = () => OK;
      await alice.sendText(bob.user, 'after the drop');
      await heard('after the drop');
      assert.ok(!bob.received.entries.some(({ payload }) => payload.text === 'dropped'));
      const { data } = await bob.call('getMessageList', { conversationID: conversationID(alice.user) });
      assert.ok(!data.messageList.some((/** @type {any} */ m) => m.payload.text === 'dropped'));
    });

    test('a rewrite reaches the receiver, all devices of the sender, the history and the webhook afterwards', async () => {
      const other = await server.startClient({ sdk, user: alice.user });
      endpoint.on(COMMAND, () => rewriteTo('rewritten'));
      await alice.sendText(bob.user, 'as written');
      const got = await heard('rewritten');
      assert.equal(got.cloudCustomData, 'by the hook');
      await other.received.next(({ payload }) => payload.text === 'rewritten');
      await modified(alice, 'rewritten');
      for (const [client, peer] of [
        [bob, alice],
        [other, bob],
      ]) {
        const { data } = await client.call('getMessageList', { conversationID: conversationID(peer.user) });
        assert.ok(data.messageList.some((/** @type {any} */ m) => m.payload.text === 'rewritten'));
        assert.ok(!data.messageList.some((/** @type {any} */ m) => m.payload.text === 'as written'));
      }
      const after = await endpoint.next(AFTER, ({ MsgBody }) => MsgBody[0].MsgContent.Text === 'rewritten');
      assert.equal(after.body.CloudCustomData, 'by the hook');
      await other.call('logout');
      await other.kill();
    });

    test('a message may skip the webhooks', async () => {
      await server.restOk('openim/sendmsg', {
        From_Account: alice.user,
        To_Account: bob.user,
        MsgRandom: 77,
        MsgBody: text('unasked'),
        ForbidCallbackControl: ['ForbidBeforeSendMsgCallback', 'ForbidAfterSendMsgCallback'],
      });
      await heard('unasked');
      assert.ok(!endpoint.calls.entries.some(({ body }) => JSON.stringify(body).includes('unasked')));
    });
  });

  for (const type of [TYPE.public, TYPE.room]) {
    describe(`before a message to a ${type} with ${sdk}`, () => {
      const COMMAND = 'Group.CallbackBeforeSendMsg';
      const AFTER = 'Group.CallbackAfterSendMsg';
      /** @type {Client} */ let alice;
      /** @type {Client} */ let bob;
      /** @type {string} */ let group;

      before(async () => {
        alice = await server.startClient({ sdk, user: userNamed('alice') });
        bob = await server.startClient({ sdk, user: userNamed('bob') });
        if (type === TYPE.room) {
          group = userNamed('room');
          const made = { Owner_Account: alice.user, Type: type, GroupId: group, Name: 'live' };
          await server.restOk('group_open_http_svc/create_group', made);
          for (const client of [alice, bob]) await client.call('joinGroup', { groupID: group, type });
        } else {
          group = await makeGroup(server, { owner: alice, members: [bob], type });
        }
      });

      const heard = (/** @type {Client} */ client, /** @type {string} */ said) =>
        client.received.next(
          (m) => m.payload.text === said && m.conversationID === conversationID({ group }),
          { what: `${said} in ${group}` },
        );

      test('it is asked with the documented body, and told afterwards', async () => {
        await sayIn(alice, group, 'passes');
        const { body } = await endpoint.next(COMMAND, ({ GroupId }) => GroupId === group);
        assert.deepEqual(body, {
          CallbackCommand: COMMAND,
          GroupId: group,
          Type: type,
          From_Account: alice.user,
          Operator_Account: alice.user,
          Random: body.Random,
          OnlineOnlyFlag: 0,
          MsgBody: text('passes'),
          CloudCustomData: '',
          EventTime: body.EventTime,
        });
        await heard(bob, 'passes');
        const after = await endpoint.next(AFTER, ({ GroupId }) => GroupId === group);
        assert.ok(after.body.MsgSeq > 0 && after.body.MsgTime > 0);
        assert.equal(after.query.get('OptPlatform'), 'Web');
        await server.restOk(
          'group_open_http_svc/send_group_msg',
          groupText(group, 'by the backend', { From_Account: bob.user }),
        );
        const asked = await endpoint.next(COMMAND, ({ GroupId, From_Account }) =>
          GroupId === group && From_Account === bob.user);
        assert.equal(asked.body.Operator_Account, 'administrator');
        assert.equal(asked.query.get('OptPlatform'), 'RESTAPI');
      });

      test('it refuses, with the standard code or one of its own', async () => {
        for (const [code, told] of [
          [1, 10_016],
          [10_100, 10_100],
          [10_200, 10_200],
        ]) {
          endpoint.on(COMMAND, () => ({ ActionStatus: 'FAIL', ErrorCode: code, ErrorInfo: 'no' }));
          await refusedWith(sayIn(alice, group, `refused ${code}`), told);
          const failed = await endpoint.next('Group.CallbackSendMsgException', ({ GroupId }) => GroupId === group);
          assert.equal(failed.body.ErrorCode, told);
        }
        endpoint.answer = () => OK;
        await sayIn(alice, group, 'goes on');
        await heard(bob, 'goes on');
        assert.ok(!textsIn(bob, group).some((said) => said.startsWith('refused')));
      });

      test('it drops a message that its sender takes to be sent', async () => {
        endpoint.on(COMMAND, () => ({ ...OK, ErrorCode: 2 }));
        await sayIn(alice, group, 'dropped');
        endpoint.answer = () => OK;
        await sayIn(alice, group, 'after the drop');
        await heard(bob, 'after the drop');
        assert.ok(!textsIn(bob, group).includes('dropped'));
      });

      test('a rewrite reaches the members, the sender, the history and the webhook afterwards', async () => {
        endpoint.on(COMMAND, () => rewriteTo('rewritten'));
        await sayIn(alice, group, 'as written');
        const got = await heard(bob, 'rewritten');
        assert.equal(got.cloudCustomData, 'by the hook');
        await modified(alice, 'rewritten');
        const after = await endpoint.next(AFTER, (body) =>
          body.GroupId === group && body.MsgBody[0].MsgContent.Text === 'rewritten');
        assert.equal(after.body.CloudCustomData, 'by the hook');
        if (type !== TYPE.room) {
          const later = await server.startClient({ sdk, user: bob.user });
          const texts = await textsOfHistory(later, group);
          assert.ok(texts.includes('rewritten') && !texts.includes('as written'), texts.join());
          await later.call('logout');
          await later.kill();
        }
      });
    });
  }
}

for (const sdk of FRIENDSHIP_SDKS) {
  test(`before a friendship, and before an answer to a request, with ${sdk}`, async () => {
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map((name) => server.startClient({ sdk, user: userNamed(name) })),
    );
    const item = (/** @type {string} */ To_Account) => ({ To_Account, ResultCode: 38_001, ResultInfo: 'not yet' });
    const source = 'AddSource_Type_Web';
    endpoint.on('Sns.CallbackPrevFriendAdd', () => ({ ...OK, ResultItem: [item(bob.user)] }));
    await refusedWith(alice.call('addFriend', { to: bob.user, source, remark: 'Bo', wording: 'tea?' }), 38_001);
    const asked = await endpoint.next('Sns.CallbackPrevFriendAdd', ({ From_Account }) => From_Account === alice.user);
    const { EventTime, ...body } = asked.body;
    assert.ok(EventTime > 0);
    assert.deepEqual(body, {
      CallbackCommand: 'Sns.CallbackPrevFriendAdd',
      Requester_Account: alice.user,
      From_Account: alice.user,
      FriendItem: [{ To_Account: bob.user, Remark: 'Bo', GroupName: '', AddSource: source, AddWording: 'tea?' }],
      AddType: 'Add_Type_Both',
      ForceAddFlags: 0,
    });
    endpoint.answer = () => OK;
    await server.restOk('profile/portrait_set', {
      From_Account: bob.user,
      ProfileItem: [{ Tag: 'Tag_Profile_IM_AllowType', Value: 'AllowType_Type_NeedConfirm' }],
    });
    await alice.call('addFriend', { to: bob.user, source });
    endpoint.on('Sns.CallbackPrevFriendResponse', () => ({ ...OK, ResultItem: [item(alice.user)] }));
    const agree = { userID: alice.user, type: 'Response_Action_AgreeAndAdd' };
    await refusedWith(bob.call('acceptFriendApplication', agree), 38_001);
    endpoint.answer = () => OK;
    await bob.call('acceptFriendApplication', agree);
    const added = await endpoint.next('Sns.CallbackFriendAdd', ({ PairList }) => PairList[0].From_Account === bob.user);
    assert.deepEqual(added.body.PairList, [
      { From_Account: bob.user, To_Account: alice.user, Initiator_Account: alice.user },
    ]);
    assert.equal(added.body.ClientCmd, 'friend_response');
    const other = await endpoint.next('Sns.CallbackFriendAdd', ({ PairList }) => PairList[0].From_Account === alice.user);
    assert.equal(other.body.PairList[0].Initiator_Account, alice.user);
  });
}

describe('before what is done with groups', () => {
  test('making, joining and inviting are asked about, refused, and an invitation loses some', async () => {
    const [sdk] = SDKS;
    const alice = await server.startClient({ sdk, user: userNamed('alice') });
    const bob = await server.startClient({ sdk, user: userNamed('bob') });
    const [carol, dave] = ['carol', 'dave'].map(userNamed);
    for (const UserID of [carol, dave]) await server.restOk('im_open_login_svc/account_import', { UserID });
    endpoint.on('Group.CallbackBeforeCreateGroup', () => ({ ...OK, ErrorCode: 10_150, ErrorInfo: 'enough' }));
    await refusedWith(alice.call('createGroup', { name: 'tea', type: TYPE.public }), 10_150);
    const made = await endpoint.next('Group.CallbackBeforeCreateGroup', ({ Owner_Account }) => Owner_Account === alice.user);
    assert.equal(made.body.Name, 'tea');
    assert.equal(made.body.CreateGroupNum, 0);
    endpoint.answer = () => OK;
    const group = await makeGroup(server, { owner: alice });
    endpoint.on('Group.CallbackBeforeApplyJoinGroup', () => ({ ...OK, ErrorCode: 1 }));
    await refusedWith(bob.call('joinGroup', { groupID: group }), 10_016);
    const joining = await endpoint.next('Group.CallbackBeforeApplyJoinGroup', ({ GroupId }) => GroupId === group);
    assert.equal(joining.body.Requestor_Account, bob.user);
    endpoint.on('Group.CallbackBeforeInviteJoinGroup', () => ({ ...OK, RefusedMembers_Account: [dave] }));
    await server.restOk('group_open_http_svc/add_group_member', {
      GroupId: group,
      MemberList: [carol, dave].map((Member_Account) => ({ Member_Account })),
    });
    const joined = await endpoint.next('Group.CallbackAfterNewMemberJoin', ({ GroupId }) => GroupId === group);
    assert.deepEqual(joined.body.NewMemberList, [{ Member_Account: carol }]);
    assert.equal(joined.body.JoinType, 'Invited');
  });
});

describe('an endpoint that fails', () => {
  const send = (/** @type {string} */ to, /** @type {number} */ random) =>
    server.rest('openim/sendmsg', {
      From_Account: 'administrator',
      To_Account: to,
      MsgRandom: random,
      MsgBody: text('hello'),
    });

  test('is as if it were not there, or refuses, as the app wants it', async () => {
    const to = userNamed('bob');
    await server.restOk('im_open_login_svc/account_import', { UserID: to });
    await server.set({ 'webhook.timeout_ms': 300 });
    const failures = /** @type {const} */ (['hang', 'reset', 'no JSON', '{}', 500, 302, { ErrorCode: 3 }]);
    let random = 0;
    for (const failure of failures) {
      endpoint.on('C2C.CallbackBeforeSendMsg', () => failure);
      random += 1;
      assert.equal((await send(to, random)).ErrorCode, 0, JSON.stringify(failure));
    }
    await server.set({ 'webhook.refuse_on_failure': 'C2C.CallbackBeforeSendMsg' });
    for (const failure of failures) {
      endpoint.on('C2C.CallbackBeforeSendMsg', () => failure);
      random += 1;
      assert.equal((await send(to, random)).ErrorCode, 80003, JSON.stringify(failure));
    }
    await endpoint.down();
    assert.equal((await send(to, 90)).ErrorCode, 80003);
    await server.set({ 'webhook.refuse_on_failure': 'none' });
    assert.equal((await send(to, 91)).ErrorCode, 0);
    await endpoint.up();
    await server.set({ 'webhook.timeout_ms': 2000 });
  });

  test('has others take over', async () => {
    const other = await startEndpoint();
    const to = userNamed('bob');
    await server.restOk('im_open_login_svc/account_import', { UserID: to });
    await server.set({ 'webhook.url': `${endpoint.url},${other.url}` });
    await endpoint.down();
    other.on('C2C.CallbackBeforeSendMsg', () => ({ ...OK, ErrorCode: 1 }));
    assert.equal((await send(to, 1)).ErrorCode, 20006, 'the second one was asked');
    await endpoint.up();
    await server.set({ 'webhook.url': endpoint.url });
  });

  test('is not asked a second time about a send that is repeated', async () => {
    const to = userNamed('bob');
    await server.restOk('im_open_login_svc/account_import', { UserID: to });
    let asked = 0;
    endpoint.on('C2C.CallbackBeforeSendMsg', () => rewriteTo(`rewrite ${(asked += 1)}`));
    const message = { From_Account: 'administrator', To_Account: to, MsgSeq: 5, MsgRandom: 6, MsgBody: text('x') };
    const first = await server.restOk('openim/sendmsg', message);
    const second = await server.restOk('openim/sendmsg', message);
    assert.equal(first.MsgKey, second.MsgKey);
    await server.restart();
    const third = await server.restOk('openim/sendmsg', message);
    assert.equal(first.MsgKey, third.MsgKey, 'also after a restart');
    assert.equal(asked, 1);
  });
});

describe('where webhooks may go', () => {
  test('private addresses only if the app allows it, metadata addresses never, and no redirect is followed', async () => {
    const to = userNamed('bob');
    await server.restOk('im_open_login_svc/account_import', { UserID: to });
    const refused = async () => {
      const answer = await server.rest('openim/sendmsg', {
        From_Account: 'administrator',
        To_Account: to,
        MsgRandom: Math.floor(Math.random() * 2 ** 31),
        MsgBody: text('hello'),
      });
      return answer.ErrorCode === 80003;
    };
    const lastOutcome = async () => {
      const status = await server.ctl('app', 'hooks', String(server.app.id), 'status');
      const line = status.split('\n').find((row) => row.includes('C2C.CallbackBeforeSendMsg'));
      return line?.split('\t').at(-1) ?? '';
    };
    await server.set({ 'webhook.refuse_on_failure': 'all', 'webhook.commands': 'C2C.CallbackBeforeSendMsg' });
    const { port } = endpoint;
    const calls = endpoint.calls.entries.length;
    await server.set({ 'webhook.allow_private': 'off' });
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '10.0.0.1', '192.168.0.1', '2130706433']) {
      await server.set({ 'webhook.url': `http://${host}:${port}/` });
      assert.ok(await refused(), host);
      assert.match(await lastOutcome(), /not allowed/, host);
    }
    await server.set({ 'webhook.allow_private': 'on' });
    for (const host of ['169.254.169.254', '[fe80::1]', '100.100.100.200', '0.0.0.0', '[::ffff:169.254.169.254]']) {
      await server.set({ 'webhook.url': `http://${host}:${port}/` });
      assert.ok(await refused(), host);
      assert.match(await lastOutcome(), /not allowed/, host);
    }
    assert.equal(endpoint.calls.entries.length, calls);
    const target = await startEndpoint();
    endpoint.redirect = target.url;
    endpoint.answer = () => 302;
    await server.set({ 'webhook.url': endpoint.url });
    assert.ok(await refused());
    assert.equal(target.calls.entries.length, 0);
  });
});
