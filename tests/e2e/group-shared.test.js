/** What the members of a group share beside its messages: attributes and counters, also in live rooms. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  NOTICE,
  SDKS,
  TYPE,
  cleanUpAfterwards,
  makeGroup,
  notice,
  refusedWith,
  sayIn,
  startServer,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  // Both packages are Web clients; one user has two of them here.
  await server.set({ 'login.policy': 'multi', 'login.web_instances': 2, 'group.attribute_writes_per_second': 1_000 });
});

const ATTRIBUTE_CONFLICT = 10056;
const NOT_PERMITTED = 10007;

/** @param {string} command @param {string} group @param {object} body */
const shared = (command, group, body) =>
  server.restOk(`group_open_http_svc/${command}`, { GroupId: group, ...body });

/** The attributes of the group with the next event that says so. @param {Client} client @param {string} group @param {object} wanted */
async function hearsAttributes(client, group, wanted) {
  const isIt = (/** @type {any} */ { groupID, groupAttributes }) =>
    groupID === group && JSON.stringify(groupAttributes) === JSON.stringify(wanted);
  await client.next('groupAttributesUpdated', isIt);
}

/** The next value of a counter, when it is this one. @param {Client} client @param {string} group @param {string} key @param {number} value */
const hearsCounter = (client, group, key, value) =>
  client.next('onGroupCounterUpdated', (data) => data.groupID === group && data.key === key && data.value === value);

/** @param {Client} client @param {string} groupID @param {string[]} [keyList] */
const attributesOf = async (client, groupID, keyList = []) =>
  (await client.call('getGroupAttributes', { groupID, keyList })).data.groupAttributes;

/** @param {Client} client @param {string} groupID */
const countersOf = async (client, groupID) => (await client.call('getGroupCounters', { groupID })).data.counters;

/** How often a package has asked for attributes. @param {Client} client @param {string} group */
const fetches = (client, group) =>
  client.frames.entries.filter(
    ({ direction, frame }) =>
      direction === 'out' && frame.head.servcmd.endsWith('.get_group_attr') && frame.body.GroupId === group,
  ).length;

describe('what members share', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {Client} */ let owner;
      /** @type {Client} */ let member;
      /** The member's other device. @type {Client} */ let laptop;

      before(async () => {
        const both = userNamed('member');
        [owner, member, laptop] = await Promise.all(
          [userNamed('owner'), both, both].map((user) => server.startClient({ sdk, user })),
        );
      });

      async function pair() {
        const group = await makeGroup(server, { owner, members: [member] });
        return { group, everybody: [owner, member, laptop] };
      }

      /** A live room with both users in it, on one device each. */
      async function room() {
        const group = `room-${userNamed('shared')}`;
        const made = { Owner_Account: owner.user, Type: TYPE.room, GroupId: group, Name: 'live' };
        await server.restOk('group_open_http_svc/create_group', made);
        for (const client of [owner, member]) await client.call('joinGroup', { groupID: group, type: TYPE.room });
        return { group, everybody: [owner, member] };
      }

      for (const [name, make] of Object.entries({ 'a group': pair, 'a live room': room })) {
        test(`attributes of ${name} are written, and everybody who is in has them`, async () => {
          const { group, everybody } = await make();
          /** @param {Client} client @param {string} method @param {object} body */
          const write = (client, method, body) => client.call(method, { groupID: group, ...body });
          const heard = (/** @type {object} */ wanted) =>
            Promise.all(everybody.map((client) => hearsAttributes(client, group, wanted)));

          await write(member, 'initGroupAttributes', { groupAttributes: { seat1: 'ann', seat2: 'ben' } });
          await heard({ seat1: 'ann', seat2: 'ben' });
          await write(owner, 'setGroupAttributes', { groupAttributes: { seat2: 'cleo', seat3: 'dan' } });
          await heard({ seat1: 'ann', seat2: 'cleo', seat3: 'dan' });
          await write(member, 'deleteGroupAttributes', { keyList: ['seat1'] });
          await heard({ seat2: 'cleo', seat3: 'dan' });
          await shared('modify_group_attr', group, { GroupAttr: [{ key: 'seat3', value: 'eve' }] });
          await heard({ seat2: 'cleo', seat3: 'eve' });
          for (const client of everybody) {
            assert.equal(fetches(client, group), 0, `${client.label} took in what was pushed`);
            assert.deepEqual(await attributesOf(client, group, ['seat3', 'nobody']), { seat3: 'eve' });
          }
          await write(owner, 'deleteGroupAttributes', { keyList: [] });
          await heard({});
          const stored = await server.restOk('group_open_attr_http_svc/get_group_attr', { GroupId: group });
          assert.deepEqual([stored.AttrMainSeq, stored.GroupAttrAry], [5, []]);
        });

        test(`counters of ${name} move, and everybody who is in hears it`, async () => {
          const { group, everybody } = await make();
          const heard = (/** @type {string} */ key, /** @type {number} */ value) =>
            Promise.all(everybody.map((client) => hearsCounter(client, group, key, value)));

          const set = await member.call('setGroupCounters', { groupID: group, counters: { like: 5, gift: 7 } });
          assert.deepEqual(set.data.counters, { like: 5, gift: 7 });
          await heard('like', 5);
          await heard('gift', 7);
          const more = await owner.call('increaseGroupCounter', { groupID: group, key: 'like', value: 3 });
          assert.deepEqual(more.data.counters, { like: 8 });
          await heard('like', 8);
          await member.call('decreaseGroupCounter', { groupID: group, key: 'gift', value: 9 });
          await heard('gift', -2);
          const clap = { Mode: 'Increase', GroupCounter: [{ Key: 'like', Value: 1 }] };
          await Promise.all(Array.from({ length: 30 }, () => shared('update_group_counter', group, clap)));
          await heard('like', 38);
          for (const client of everybody) assert.deepEqual(await countersOf(client, group), { like: 38, gift: -2 });

          const isDeletion = (/** @type {any} */ { EventArray }) =>
            JSON.stringify(EventArray).includes('"GroupCounterInfo":[{"Type":1');
          await shared('delete_group_counter', group, { GroupCounterKeys: ['gift'] });
          await Promise.all(everybody.map((client) => client.reply('im_open_push.msg_push', isDeletion)));
          for (const client of everybody) assert.deepEqual(await countersOf(client, group), { like: 38 });
        });
      }

      test('who has not seen what he changes is refused until he has', async () => {
        const { group } = await pair();
        await shared('set_group_attr', group, { GroupAttr: [{ key: 'seat', value: 'ann' }] });
        const late = await server.startClient({ sdk, user: userNamed('late') });
        await server.restOk('group_open_http_svc/add_group_member', {
          GroupId: group,
          MemberList: [{ Member_Account: late.user }],
        });
        await sayIn(owner, group, 'welcome');
        await late.message('welcome');
        const write = { groupID: group, groupAttributes: { seat: 'late' } };
        await refusedWith(late.call('setGroupAttributes', write), ATTRIBUTE_CONFLICT);
        await refusedWith(late.call('initGroupAttributes', write), ATTRIBUTE_CONFLICT);
        assert.deepEqual(await attributesOf(late, group), { seat: 'ann' });
        await late.call('setGroupAttributes', write);
        await hearsAttributes(owner, group, { seat: 'late' });
        await late.call('initGroupAttributes', { groupID: group, groupAttributes: { door: 'open' } });
        await hearsAttributes(owner, group, { door: 'open' });
      });

      test('of two who write one attribute at the same time one is refused, and both have the same', async () => {
        const { group } = await pair();
        await shared('set_group_attr', group, { GroupAttr: [{ key: 'seat', value: '' }] });
        await Promise.all([owner, member].map((client) => hearsAttributes(client, group, { seat: '' })));
        const write = (/** @type {Client} */ client) =>
          client.call('setGroupAttributes', { groupID: group, groupAttributes: { seat: client.user } });
        const written = await Promise.allSettled([write(owner), write(member)]);
        const refused = written.flatMap((w) => (w.status === 'rejected' ? [w.reason.code] : []));
        // Both may get through: when the one has heard of the other's write before its own.
        assert.ok(refused.every((code) => code === ATTRIBUTE_CONFLICT), `${refused}`);
        assert.ok(refused.length < 2, 'somebody is first');
        const stored = await server.restOk('group_open_attr_http_svc/get_group_attr', { GroupId: group });
        const [{ value }] = stored.GroupAttrAry;
        assert.equal(stored.AttrMainSeq, 3 - refused.length);
        await Promise.all([owner, member].map((client) => hearsAttributes(client, group, { seat: value })));
      });

      test('a viewer who was away for a moment learns what was written meanwhile', async () => {
        const { group } = await room();
        await owner.call('initGroupAttributes', { groupID: group, groupAttributes: { seat: 'ann' } });
        await hearsAttributes(member, group, { seat: 'ann' });
        await member.cutSocket();
        await owner.call('setGroupAttributes', { groupID: group, groupAttributes: { seat: 'ben' } });
        await hearsAttributes(member, group, { seat: 'ben' });
      });

      test('what the backend has to say reaches who is online, all or some, and is no message', async () => {
        const { group } = await pair();
        const say = (/** @type {object} */ body) => shared('send_group_system_notification', group, body);
        await say({ Content: 'for all' });
        await say({ Content: 'for the member', ToMembers_Account: [member.user, 'nobody'] });
        await sayIn(owner, group, 'a message');
        for (const [client, contents] of /** @type {[Client, string[]][]} */ ([
          [owner, ['for all']],
          [member, ['for all', 'for the member']],
          [laptop, ['for all', 'for the member']],
        ])) {
          for (const content of contents) {
            const told = await notice(client, group, NOTICE.custom);
            assert.deepEqual([told.payload.userDefinedField, told.payload.groupProfile.name], [content, 'a group']);
          }
        }
        await Promise.all([member, laptop].map((client) => client.message('a message')));
        const { RspMsgList } = await server.restOk('group_open_http_svc/group_msg_get_simple', {
          GroupId: group,
          ReqMsgNumber: 20,
        });
        assert.deepEqual([RspMsgList.length, RspMsgList[0].MsgSeq], [1, 1]);
        assert.equal((await member.conversation({ group })).unreadCount, 1);
      });

      test('in a live room, too, and beyond its limit of messages', async () => {
        const { group, everybody } = await room();
        const contents = Array.from({ length: 50 }, (_, n) => `flash ${n}`);
        await Promise.all(
          contents.map((Content) => shared('send_group_system_notification', group, { Content })),
        );
        for (const client of everybody) {
          const told = [];
          for (const _ of contents) told.push((await notice(client, group, NOTICE.custom)).payload.userDefinedField);
          assert.deepEqual(told.toSorted(), contents.toSorted());
        }
      });

      test('who is not in the group shares nothing', async () => {
        const { group } = await pair();
        const stranger = await server.startClient({ sdk, user: userNamed('stranger') });
        for (const [method, body] of Object.entries({
          getGroupAttributes: { keyList: [] },
          setGroupAttributes: { groupAttributes: { a: '1' } },
          getGroupCounters: {},
          increaseGroupCounter: { key: 'a', value: 1 },
        })) {
          await refusedWith(stranger.call(method, { groupID: group, ...body }), NOT_PERMITTED);
        }
      });
    });
  }
});
