/** Webhooks after an event: nothing is lost, order is kept, and chat does not wait, whatever the endpoint does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  OK,
  SDKS,
  TYPE,
  cleanUpAfterwards,
  groupText,
  makeGroup,
  sign,
  startEndpoint,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

const AFTER_C2C = 'C2C.CallbackAfterSendMsg';
const AFTER_GROUP = 'Group.CallbackAfterSendMsg';

/** @type {import('./harness/server.js').Server} */
let server;
/** @type {import('./harness/endpoint.js').Endpoint} */
let endpoint;

before(async () => {
  server = await startServer();
  endpoint = await startEndpoint();
  await server.set({
    'rest.calls_per_second': 100_000,
    'group.messages_per_second': 100_000,
    'webhook.url': endpoint.url,
    'webhook.commands': 'all',
    'webhook.allow_private': 'on',
    'webhook.timeout_ms': 500,
  });
});

beforeEach(() => {
  endpoint.answer = () => OK;
});

/** @param {...string} names */
async function accounts(...names) {
  const users = names.map(userNamed);
  for (const UserID of users) await server.restOk('im_open_login_svc/account_import', { UserID });
  return users;
}

let random = 0;

/** @param {string} from @param {string} to @param {string} said */
const send = (from, to, said) =>
  server.restOk('openim/sendmsg', {
    From_Account: from,
    To_Account: to,
    MsgRandom: (random += 1),
    MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: said } }],
  });

const said = (/** @type {import('./harness/endpoint.js').Call} */ call) => call.body.MsgBody[0].MsgContent.Text;

/** What an endpoint has taken of a conversation, each event once, in the order of its first coming. @param {string} command @param {(body: any) => boolean} of */
function taken(command, of) {
  /** @type {Map<string | undefined, string>} */
  const events = new Map();
  for (const call of endpoint.of(command)) if (of(call.body) && !events.has(call.event)) events.set(call.event, said(call));
  return [...events.values()];
}

/** Waits until an endpoint has got `count` different texts that begin with `prefix`. @param {string} command @param {string} prefix @param {number} count */
async function allOf(command, prefix, count) {
  const texts = new Set();
  const isNew = (/** @type {import('./harness/endpoint.js').Call} */ call) =>
    call.command === command && said(call).startsWith(prefix) && !texts.has(said(call));
  while (texts.size < count) texts.add(said(await endpoint.calls.next(isNew, { what: `${count} of ${prefix}` })));
}

test('an endpoint that refuses, hangs, resets, answers garbage and is away for a while gets everything in order', async () => {
  const [alice, bob, carol] = await accounts('alice', 'bob', 'carol');
  const group = userNamed('told-group');
  await server.restOk('group_open_http_svc/create_group', { Type: TYPE.public, GroupId: group, Name: 'g' });
  const troubles = /** @type {const} */ ([500, 'hang', 'reset', 'garbage', 404]);
  let calls = 0;
  // Every other call fails, each time in another way.
  endpoint.answer = () => ((calls += 1) % 2 ? OK : troubles[(calls / 2) % troubles.length]);
  const expected = Array.from({ length: 15 }, (_, n) => `one ${n}`);
  for (const text of expected) {
    await send(alice, bob, text);
    await send(carol, bob, text);
    await server.restOk('group_open_http_svc/send_group_msg', groupText(group, text));
    if (text === 'one 7') await endpoint.down();
  }
  endpoint.answer = () => OK;
  await endpoint.up();
  const of = (/** @type {string} */ from) => (/** @type {any} */ body) => body.From_Account === from;
  const inGroup = (/** @type {any} */ body) => body.GroupId === group;
  const last = (/** @type {any} */ call) => said(call) === 'one 14';
  for (const [command, is] of /** @type {[string, (body: any) => boolean][]} */ ([
    [AFTER_C2C, of(alice)],
    [AFTER_C2C, of(carol)],
    [AFTER_GROUP, inGroup],
  ])) {
    await endpoint.calls.next((call) => call.command === command && is(call.body) && last(call), { what: 'the last one' });
    assert.deepEqual(taken(command, is), expected);
  }
});

test('kill -9 loses nothing that was stored', async () => {
  const [alice, bob] = await accounts('alice', 'bob');
  await endpoint.down();
  for (let n = 0; n < 20; n += 1) await send(alice, bob, `killed ${n}`);
  await server.kill9();
  await server.start();
  for (let n = 20; n < 40; n += 1) await send(alice, bob, `killed ${n}`);
  await server.kill9();
  await endpoint.up();
  await server.start();
  await allOf(AFTER_C2C, 'killed', 40);
  const expected = Array.from({ length: 40 }, (_, n) => `killed ${n}`);
  assert.deepEqual(taken(AFTER_C2C, ({ From_Account }) => From_Account === alice), expected);
});

test('chat does not wait for an endpoint that hangs', async () => {
  const [alice, bob] = await accounts('alice', 'bob');
  const timed = async (/** @type {string} */ what) => {
    const began = performance.now();
    for (let n = 0; n < 40; n += 1) await send(alice, bob, `${what} ${n}`);
    return performance.now() - began;
  };
  await server.set({ 'webhook.commands': AFTER_C2C, 'webhook.timeout_ms': 2000 });
  const quick = await timed('answered');
  endpoint.answer = () => 'hang';
  const hanging = await timed('hanging');
  console.log(`40 messages: ${quick.toFixed(0)} ms with an endpoint that answers, ${hanging.toFixed(0)} ms with one that hangs`);
  // One that was waited for would take 80 s.
  assert.ok(hanging < 20_000);
  endpoint.answer = () => OK;
  await allOf(AFTER_C2C, 'hanging', 40);
  await server.set({ 'webhook.commands': 'all', 'webhook.timeout_ms': 500 });
});

test('what is given up is seen, and sent again when it is asked for', async () => {
  const [alice, bob] = await accounts('alice', 'bob');
  const app = String(server.app.id);
  await server.set({ 'webhook.retry_hours': 0 });
  endpoint.on(AFTER_C2C, () => 500);
  await send(alice, bob, 'given up');
  const { event } = await endpoint.next(AFTER_C2C, ({ From_Account }) => From_Account === alice);
  const dead = async () => (await server.ctl('app', 'hooks', app, 'log', '--dead')).split('\n').find((l) => l.startsWith(`${event}\t`));
  let line;
  while (!(line = await dead()));
  assert.match(line, /C2C\.CallbackAfterSendMsg\t\d+\tdead\t1\t\d+\tHTTP status 500/);
  endpoint.answer = () => OK;
  assert.equal((await server.ctl('app', 'hooks', app, 'replay', String(event))).trim(), 'replayed 1');
  const again = await endpoint.next(AFTER_C2C, ({ From_Account }) => From_Account === alice);
  assert.equal(again.event, event, 'under the same name');
  assert.deepEqual(again.body.MsgBody, [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'given up' } }]);
  const began = Date.now();
  await send(alice, bob, 'of a time');
  await endpoint.next(AFTER_C2C, ({ From_Account, MsgBody }) => From_Account === alice && MsgBody[0].MsgContent.Text === 'of a time');
  await server.ctl('app', 'hooks', app, 'replay', '--from', String(began), '--to', String(Date.now()));
  await endpoint.next(AFTER_C2C, ({ From_Account, MsgBody }) => From_Account === alice && MsgBody[0].MsgContent.Text === 'of a time');
  const status = await server.ctl('app', 'hooks', app, 'status');
  assert.match(status, /^events {3}\d+$/m);
  assert.match(status, /C2C\.CallbackAfterSendMsg\t1\t\d+\tok/);
  const wrong = await server.tryCtl('app', 'hooks', app, 'replay', '12345');
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /no event 12345/);
  await server.set({ 'webhook.retry_hours': 24 });
});

test('settings hold at once, and a command that is off is not sent', async () => {
  const [alice, bob] = await accounts('alice', 'bob');
  await server.set({ 'webhook.commands': 'none' });
  await send(alice, bob, 'not told');
  await server.set({ 'webhook.commands': AFTER_C2C, 'webhook.headers': 'X-Tea: oolong' });
  await send(alice, bob, 'told');
  const call = await endpoint.next(AFTER_C2C, ({ From_Account }) => From_Account === alice);
  assert.equal(said(call), 'told');
  assert.equal(call.headers['x-tea'], 'oolong');
  await server.set({ 'webhook.commands': 'all', 'webhook.headers': '' });
});

for (const sdk of SDKS) {
  describe(`what clients do with ${sdk}`, () => {
    test('logins, their ends, groups, members, profiles, reading and recalling are told', async () => {
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      const bob = await server.startClient({ sdk, user: userNamed('bob') });
      const state = (/** @type {Client} */ client, /** @type {string} */ action) =>
        endpoint.next('State.StateChange', ({ Info }) => Info.To_Account === client.user && Info.Action === action);
      const login = await state(alice, 'Login');
      assert.equal(login.body.Info.Reason, 'Register');
      assert.equal(login.query.get('OptPlatform'), 'Web');
      await alice.call('updateMyProfile', { nick: 'Alice' });
      const profile = await endpoint.next('Profile.CallbackPortraitSet', ({ From_Account }) => From_Account === alice.user);
      assert.deepEqual(profile.body.ProfileItem, [{ Tag: 'Tag_Profile_IM_Nick', Value: 'Alice' }]);
      assert.equal(profile.body.Operator_Account, alice.user);

      const message = await alice.sendText(bob.user, 'read me');
      await bob.received.next(({ payload }) => payload.text === 'read me');
      await bob.call('setMessageRead', { conversationID: `C2C${alice.user}` });
      const read = await endpoint.next('C2C.CallbackAfterMsgReport', ({ Report_Account }) => Report_Account === bob.user);
      assert.equal(read.body.Peer_Account, alice.user);
      assert.equal(read.body.UnreadMsgNum, 0);
      await alice.call('revokeMessage', { $message: message.ID });
      const recalled = await endpoint.next('C2C.CallbackAfterMsgWithDraw', ({ From_Account }) => From_Account === alice.user);
      assert.match(recalled.body.MsgKey, /^\d+_\d+_\d+$/);

      const options = { ApplyJoinOption: 'FreeAccess' };
      const group = await makeGroup(server, { owner: alice, options });
      const created = await endpoint.next('Group.CallbackAfterCreateGroup', ({ GroupId }) => GroupId === group);
      assert.deepEqual(created.body.MemberList, [{ Member_Account: alice.user }]);
      await bob.call('joinGroup', { groupID: group });
      const joined = await endpoint.next('Group.CallbackAfterNewMemberJoin', ({ GroupId }) => GroupId === group);
      assert.equal(joined.body.JoinType, 'Apply');
      assert.deepEqual(joined.body.NewMemberList, [{ Member_Account: bob.user }]);
      await server.restOk('group_open_http_svc/modify_group_member_info', {
        GroupId: group,
        Member_Account: bob.user,
        Role: 'Admin',
      });
      const role = await endpoint.next('Group.CallbackAfterMemberFieldChanged', ({ GroupId }) => GroupId === group);
      assert.equal(role.body.Role, 'Admin');
      await alice.call('updateGroupProfile', { groupID: group, introduction: 'about tea' });
      const info = await endpoint.next('Group.CallbackAfterGroupInfoChanged', ({ GroupId }) => GroupId === group);
      assert.equal(info.body.Introduction, 'about tea');
      await bob.call('quitGroup', group);
      const left = await endpoint.next('Group.CallbackAfterMemberExit', ({ GroupId }) => GroupId === group);
      assert.equal(left.body.ExitType, 'Quit');
      assert.deepEqual(left.body.ExitMemberList, [{ Member_Account: bob.user }]);
      await bob.call('joinGroup', { groupID: group });
      await server.restOk('group_open_http_svc/change_group_owner', { GroupId: group, NewOwner_Account: bob.user });
      const owner = await endpoint.next('Group.CallbackAfterChangeGroupOwner', ({ GroupId }) => GroupId === group);
      assert.equal(owner.body.NewOwner_Account, bob.user);
      assert.equal(owner.body.OldOwner_Account, alice.user);
      await server.restOk('group_open_http_svc/destroy_group', { GroupId: group });
      const gone = await endpoint.next('Group.CallbackAfterGroupDestroyed', ({ GroupId }) => GroupId === group);
      assert.equal(gone.body.Owner_Account, bob.user);

      await alice.call('logout');
      assert.equal((await state(alice, 'Logout')).body.Info.Reason, 'Unregister');
      await bob.kill();
      assert.equal((await state(bob, 'Disconnect')).body.Info.Reason, 'LinkClose');
    });

    test('the chatbot of the example answers, to one user and where it is mentioned', async (t) => {
      const model = createServer(async (request, response) => {
        let body = '';
        for await (const chunk of request.setEncoding('utf8')) body += chunk;
        const { messages } = JSON.parse(body);
        response.writeHead(200, { 'content-type': 'application/json' });
        const content = `you said: ${messages.at(-1).content}`;
        response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }));
      });
      await new Promise((resolve) => model.listen(0, '127.0.0.1', () => resolve(undefined)));
      const { port } = /** @type {import('node:net').AddressInfo} */ (model.address());
      const bot = spawn(process.execPath, [fileURLToPath(new URL('../../examples/chatbot/bot.js', import.meta.url))], {
        env: {
          ...process.env,
          PORT: '0',
          TEAHOUSE: server.url,
          SDKAPPID: String(server.app.id),
          USERSIG: sign(server.app, 'administrator'),
          WEBHOOK_TOKEN: 'between-us',
          MODEL_URL: `http://127.0.0.1:${port}/v1/chat/completions`,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => {
        bot.kill();
        model.close();
      });
      const address = await new Promise((resolve) => bot.stdout.setEncoding('utf8').once('data', resolve));
      await server.set({ 'webhook.url': String(address).trim().split(' ').at(-1) ?? '', 'webhook.token': 'between-us' });
      const robot = `@RBT#${userNamed('tea')}`;
      await server.restOk('openim_robot_http_svc/create_robot', { UserID: robot, Nick: 'Tea' });
      const alice = await server.startClient({ sdk, user: userNamed('alice') });
      await alice.sendText(robot, 'hello');
      const answer = await alice.received.next(({ from, payload }) => from === robot && payload.text === 'you said: hello');
      assert.equal(answer.from, robot);
      const group = await makeGroup(server, { owner: alice });
      await alice.send('TextAt', group, { text: `@${robot} what now?`, atUserList: [robot] }, { message: { conversationType: 'GROUP' } });
      await alice.received.next(({ from, payload }) => from === robot && payload.text === 'you said: what now?');
      await server.set({ 'webhook.url': endpoint.url, 'webhook.token': '' });
    });
  });
}
