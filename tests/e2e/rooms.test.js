/**
 * Live rooms: everything is pushed, nothing is polled for. What the tests here show of both packages, when the reply to
 * `apply_join_group` has no `LongPollingKey`:
 *
 * | event | taken by push as |
 * |---|---|
 * | message, of clients and of REST | `GroupMsgArray`, event 3; several in one frame, too |
 * | joining and leaving, with the member count | `GroupTips`, event 4 |
 * | a changed profile, muting all or one | `GroupTips`, event 4 |
 * | dismissal | `GroupTips`, event 5 |
 * | the account put out on this device | `C2cNotifyMsgArray`, as everywhere |
 * | the number of viewers | asked for: `get_online_member_num`, kept by the packages for `ExpireTime` seconds |
 *
 * Nothing of a room was found to need polling. What others of the protocol's events would (broadcasts to all rooms, event
 * 17, have no key among the pushes) is not served yet.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  NOTICE,
  SDKS,
  TIP,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  heardIn,
  isTip,
  mostWithin,
  notice,
  refusedWith,
  sayIn,
  startProxy,
  startServer,
  startStopwatch,
  textsIn,
  tip,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** @type {import('./harness/server.js').Server} */
let server;
let rooms = 0;

before(async () => {
  server = await startServer();
  await server.set({ 'rest.calls_per_second': 100_000 });
});

/** A room that nobody is in. @param {Client} owner */
async function makeRoom(owner) {
  rooms += 1;
  const room = `room-${rooms}`;
  const made = { Owner_Account: owner.user, Type: TYPE.room, GroupId: room, Name: 'live' };
  await server.restOk('group_open_http_svc/create_group', made);
  return room;
}

/** @param {Client} client @param {string} room */
const enter = (client, room) => client.call('joinGroup', { groupID: room, type: TYPE.room });

/** How many are in, as the server has it. @param {string} room */
const viewersOf = async (room) =>
  (await server.restOk('group_open_http_svc/get_online_member_num', { GroupId: room })).OnlineMemberNum;

/** @param {string} room @param {string} text @param {object} [more] */
const sayByRest = (room, text, more) =>
  server.restOk('group_open_http_svc/send_group_msg', groupText(room, text, more));

/** How many messages of rooms the server has given up. */
async function droppedSoFar() {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const counts = [...metrics.matchAll(/^teahouse_flow_dropped_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** @param {Client} client @param {string} command */
const requestsOf = (client, command) =>
  client.frames.entries.filter(({ direction, frame }) => direction === 'out' && frame.head.servcmd === command);

/** @param {Client} client */
function neverPolled(client) {
  const polls = client.frames.entries.filter(
    ({ direction, frame }) => direction === 'out' && frame.head.servcmd.startsWith('group_open_long_polling'),
  );
  assert.deepEqual(polls, []);
}

describe('live rooms', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {Client} */ let owner;
      /** @type {Client} */ let alice;
      /** Comes through the proxy. @type {Client} */ let bob;
      /** @type {import('./harness/proxy.js').Proxy} */ let proxy;

      before(async () => {
        proxy = await startProxy(server);
        [owner, alice, bob] = await Promise.all(
          ['owner', 'alice', 'bob'].map((name) =>
            server.startClient({ sdk, user: userNamed(name), through: name === 'bob' ? proxy : undefined }),
          ),
        );
      });

      /** A room with the three in it. */
      async function fullRoom() {
        const room = await makeRoom(owner);
        for (const client of [owner, alice, bob]) {
          const { data } = await enter(client, room);
          assert.equal(data.status, 'JoinedSuccess');
        }
        return room;
      }

      /** What is said after everything else has arrived: what has not come by then never will. @param {string} room */
      async function fence(room) {
        const text = userNamed('fence');
        await sayByRest(room, text);
        await Promise.all([alice, bob].map((client) => client.message(text)));
      }

      test('messages go both ways, once each, and nobody polls', async () => {
        const room = await fullRoom();
        for (const [from, others] of /** @type {[Client, Client[]][]} */ ([
          [owner, [alice, bob]],
          [alice, [owner, bob]],
          [bob, [owner, alice]],
        ])) {
          const sent = await sayIn(from, room, `from ${from.user} in ${room}`);
          for (const other of others) {
            const received = await other.message((message) => message.ID === sent.ID);
            assert.deepEqual(
              [received.payload, received.from, received.to, received.flow, received.conversationID],
              [sent.payload, from.user, room, 'in', conversationID({ group: room })],
            );
          }
        }
        await sayByRest(room, `from a backend in ${room}`, { From_Account: alice.user });
        for (const client of [owner, alice, bob]) await client.message(`from a backend in ${room}`);
        for (const client of [owner, alice, bob]) {
          const texts = textsIn(client, room);
          assert.equal(texts.length, 3, `${texts}`);
          neverPolled(client);
          const [join] = requestsOf(client, 'group_open_http_svc.apply_join_group').slice(-1);
          const { frame } = client.frames.entries.find(
            (entry) => entry.direction === 'in' && entry.frame.head.seq === join.frame.head.seq,
          ) ?? { frame: undefined };
          assert.equal(frame.body.HugeGroupFlag, 1);
          assert.equal(frame.body.LongPollingKey, undefined);
        }
      });

      test('every kind of message gets through', async () => {
        const room = await fullRoom();
        for (const [kind, payload] of /** @type {[string, any][]} */ ([
          ['Text', { text: `茶 ${room}` }],
          ['Custom', { data: 'a gift', description: 'rose', extension: '1' }],
          ['Face', { index: 3, data: 'heart' }],
        ])) {
          const sent = await alice.send(kind, room, payload, {
            message: { conversationType: 'GROUP', priority: 'High', cloudCustomData: 'with it' },
          });
          const received = await bob.message((message) => message.ID === sent.ID);
          assert.deepEqual(
            [received.payload, received.priority, received.cloudCustomData],
            [sent.payload, 'High', 'with it'],
          );
        }
      });

      test('who comes and goes is told to the others by push, with the number of viewers', async () => {
        const room = await makeRoom(owner);
        await enter(alice, room);
        await enter(bob, room);
        const came = await tip(alice, room, TIP.joined, ({ operatorID }) => operatorID === bob.user);
        assert.deepEqual([came.userIDList, came.memberCount], [[bob.user], 2]);
        assert.equal(await viewersOf(room), 2);
        const { data } = await alice.call('getGroupOnlineMemberCount', room);
        assert.equal(data.memberCount, 2);

        await bob.call('quitGroup', room);
        const went = await tip(alice, room, TIP.quit);
        assert.deepEqual([went.operatorID, went.memberCount], [bob.user, 1]);
        assert.equal(await viewersOf(room), 1);
        await sayIn(alice, room, 'alone');
        await alice.sendText(bob.user, `fence ${room}`);
        await bob.message(`fence ${room}`);
        assert.deepEqual(textsIn(bob, room), []);
        await refusedWith(sayIn(bob, room, 'from outside'), 10007);
        await enter(bob, room);
        await sayIn(alice, room, `together again ${room}`);
        await bob.message(`together again ${room}`);
        neverPolled(bob);
      });

      test('a changed profile is told by push', async () => {
        const room = await fullRoom();
        await owner.call('updateGroupProfile', { groupID: room, name: 'new name', notification: 'new notice' });
        for (const client of [owner, alice, bob]) {
          const told = await tip(client, room, TIP.profile);
          assert.equal(told.operatorID, owner.user);
          assert.deepEqual(told.newGroupProfile, { groupName: 'new name', notification: 'new notice' });
        }
        await assert.rejects(alice.call('updateGroupProfile', { groupID: room, name: 'mine' }));
      });

      test('when all are muted only the owner speaks', async () => {
        const room = await fullRoom();
        await owner.call('updateGroupProfile', { groupID: room, muteAllMembers: true });
        await tip(bob, room, TIP.profile, ({ newGroupProfile }) => newGroupProfile.muteAllMembers === true);
        await refusedWith(sayIn(bob, room, 'mmh'), 10017);
        await sayIn(owner, room, `I may ${room}`);
        await bob.message(`I may ${room}`);
        await owner.call('updateGroupProfile', { groupID: room, muteAllMembers: false });
        await sayIn(bob, room, `now I may ${room}`);
        await alice.message(`now I may ${room}`);
      });

      test('the owner mutes a viewer, who stays muted when he comes again', async () => {
        const room = await fullRoom();
        await owner.call('setGroupMemberMuteTime', { groupID: room, userID: bob.user, muteTime: 600 });
        const told = await tip(bob, room, TIP.member);
        assert.deepEqual([told.operatorID, told.memberList[0].userID], [owner.user, bob.user]);
        await refusedWith(sayIn(bob, room, 'mmh'), 10017);
        await bob.call('quitGroup', room);
        await enter(bob, room);
        await refusedWith(sayIn(bob, room, 'mmh'), 10017);
        await owner.call('setGroupMemberMuteTime', { groupID: room, userID: bob.user, muteTime: 0 });
        await sayIn(bob, room, `aah ${room}`);
        await alice.message(`aah ${room}`);
        await assert.rejects(alice.call('setGroupMemberMuteTime', { groupID: room, userID: bob.user, muteTime: 9 }));
      });

      test('REST mutes a viewer', async () => {
        const room = await fullRoom();
        const mute = (/** @type {number} */ MuteTime) =>
          server.restOk('group_open_http_svc/forbid_send_msg', {
            GroupId: room,
            Members_Account: [bob.user],
            MuteTime,
          });
        await mute(600);
        await refusedWith(sayIn(bob, room, 'mmh'), 10017);
        await mute(0);
        await sayIn(bob, room, `aah ${room}`);
        await alice.message(`aah ${room}`);
      });

      test('a dismissed room is over for all', async () => {
        const room = await fullRoom();
        await owner.call('dismissGroup', room);
        for (const client of [alice, bob]) {
          const { payload } = await notice(client, room, NOTICE.dismissed);
          assert.equal(payload.operatorID, owner.user);
          await assert.rejects(sayIn(client, room, 'anybody?'));
          neverPolled(client);
        }
        await assert.rejects(enter(bob, room));
      });

      test('a room keeps nothing: no history, no unread count, no place in the list after a login', async () => {
        const room = await fullRoom();
        await sayIn(alice, room, `gone ${room}`);
        await bob.message(`gone ${room}`);
        const { data } = await bob.call('getMessageList', { conversationID: conversationID({ group: room }) });
        assert.equal(data.isCompleted, true);
        const late = await server.startClient({ sdk, user: userNamed('late') });
        await enter(late, room);
        await sayIn(alice, room, `heard ${room}`);
        await late.message(`heard ${room}`);
        assert.deepEqual(textsIn(late, room), [`heard ${room}`]);
        await late.call('logout');
        await late.kill();
        const again = await server.startClient({ sdk, user: late.user });
        assert.equal(await again.conversation({ group: room }), undefined);
        await again.kill();
      });

      test('who enters another room is out of the first', async () => {
        const [first, second] = [await fullRoom(), await makeRoom(owner)];
        await enter(bob, second);
        await tip(alice, first, TIP.quit, ({ operatorID }) => operatorID === bob.user);
        assert.deepEqual([await viewersOf(first), await viewersOf(second)], [2, 1]);
        await sayByRest(second, `in the second ${second}`);
        await bob.message(`in the second ${second}`);
        await sayByRest(first, `in the first ${first}`);
        await alice.message(`in the first ${first}`);
        await alice.sendText(bob.user, `fence ${first}`);
        await bob.message(`fence ${first}`);
        assert.deepEqual(textsIn(bob, first), []);
      });

      test('whose account is put out is out of the room', async () => {
        const room = await fullRoom();
        const guest = await server.startClient({ sdk, user: userNamed('guest') });
        await enter(guest, room);
        assert.equal(await viewersOf(room), 4);
        await server.restOk('im_open_login_svc/kick', { UserID: guest.user });
        await guest.next('kickedOut');
        await tip(alice, room, TIP.quit, ({ operatorID }) => operatorID === guest.user);
        assert.equal(await viewersOf(room), 3);
        await guest.kill();
      });

      test('who logs out is out of the room', async () => {
        const room = await fullRoom();
        const guest = await server.startClient({ sdk, user: userNamed('guest') });
        await enter(guest, room);
        await guest.call('logout');
        await tip(alice, room, TIP.quit, ({ operatorID }) => operatorID === guest.user);
        await guest.kill();
      });

      test('whose connection is cut keeps his seat, and gets what was said meanwhile, once, without joining', async () => {
        const room = await fullRoom();
        const missed = ['first', 'second', 'third', 'fourth'].map((text) => `${text} in ${room}`);
        await sayIn(alice, room, `before ${room}`);
        await bob.message(`before ${room}`);
        await server.connectionsAged();
        const joins = requestsOf(bob, 'group_open_http_svc.apply_join_group').length;
        proxy.hold();
        for (const text of missed) await sayIn(alice, room, text);
        assert.equal(await viewersOf(room), 3);
        proxy.release();
        for (const text of missed) await bob.message(text);
        await fence(room);
        const texts = textsIn(bob, room).filter((text) => !text.startsWith('fence'));
        assert.deepEqual(texts, [`before ${room}`, ...missed]);
        const several = bob.frames.entries.some(
          ({ direction, frame }) =>
            direction === 'in' &&
            (frame.body.EventArray ?? []).some(
              (/** @type {any} */ event) => event.GroupMsgArray?.length >= missed.length,
            ),
        );
        assert.ok(several, 'they came in one frame');
        assert.equal(requestsOf(bob, 'group_open_http_svc.apply_join_group').length, joins);
        for (const client of [alice, owner]) {
          assert.deepEqual(heardIn(client, room).filter(isTip(room, TIP.quit)), [], 'he was never gone');
        }
        await sayIn(bob, room, `back ${room}`);
        await alice.message(`back ${room}`);
        neverPolled(bob);
      });

      test('a push that was lost with the connection comes after it', async () => {
        const room = await fullRoom();
        await server.connectionsAged();
        const lost = proxy.loseNext(
          ({ direction, frame }) =>
            direction === 'down' && JSON.stringify(frame.body.EventArray ?? '').includes('swallowed'),
        );
        await sayIn(alice, room, `swallowed ${room}`);
        await lost;
        proxy.cut();
        await bob.message(`swallowed ${room}`);
        await fence(room);
        assert.equal(bob.timesReceived(`swallowed ${room}`), 1);
      });

      test('the reply of a send is lost: the package sends again, and all hear it once', async () => {
        const room = await fullRoom();
        await server.connectionsAged();
        const lost = proxy.loseNext(
          ({ direction, frame }) => direction === 'down' && frame.head.servcmd === 'group_open_http_svc.send_group_msg',
        );
        const sending = sayIn(bob, room, `resent ${room}`);
        await lost;
        proxy.cut();
        await sending;
        await alice.message(`resent ${room}`);
        await fence(room);
        assert.equal(alice.timesReceived(`resent ${room}`), 1);
        assert.equal(bob.timesReceived(`resent ${room}`), 0);
      });
    });
  }
});

describe('a room under flood', () => {
  const LIMIT = 40;

  test('twenty viewers get all that is important, and never more than 40 a second', async () => {
    const owner = await server.startClient({ sdk: 'chat', user: userNamed('owner') });
    const room = await makeRoom(owner);
    /** @type {Client[]} */
    const viewers = [owner];
    // A few at a time: each is a process.
    while (viewers.length < 20) {
      const some = await Promise.all(
        Array.from({ length: Math.min(4, 20 - viewers.length) }, (_, index) =>
          server.startClient({ sdk: SDKS[(viewers.length + index) % 2], user: userNamed('viewer') }),
        ),
      );
      viewers.push(...some);
    }
    assert.equal(viewers.filter(({ sdk }) => sdk === 'chat').length, 10);
    await Promise.all(viewers.map((client) => enter(client, room)));
    const stopwatch = await startStopwatch(server, { user: userNamed('stopwatch'), room });
    assert.equal(await viewersOf(room), 21);

    // 30 volleys of 10 Low, 6 Normal and 2 High: 60 High in all, which by themselves wait for their turn and are never
    // given up. A third comes from the viewers, the rest from a backend with some connections.
    const volley = [...Array(10).fill('Low'), ...Array(6).fill('Normal'), ...Array(2).fill('High')];
    const flood = Array.from({ length: 30 }, () => volley)
      .flat()
      .map((priority, index) => ({ text: `${priority} ${index}`, priority, byViewer: index % 3 === index % 2 }));
    const ofViewers = flood.filter(({ byViewer }) => byViewer);
    const ofBackend = flood.filter(({ byViewer }) => !byViewer);
    const senderOf = (/** @type {number} */ index) => viewers[index % viewers.length];
    const left = ofBackend.values();
    const connection = async () => {
      for (const { text, priority } of left) {
        await sayByRest(room, text, { MsgPriority: priority, From_Account: owner.user });
      }
    };
    const before = await droppedSoFar();
    // All are acknowledged, also those that are given up.
    await Promise.all([
      ...ofViewers.map(({ text, priority }, index) => sayIn(senderOf(index), room, text, { message: { priority } })),
      ...Array.from({ length: 8 }, connection),
    ]);

    // What waits is let through or given up when something comes: now the number of those given up is final.
    const givenUp = (await droppedSoFar()) - before;
    const { entries } = stopwatch.arrivals;
    await stopwatch.arrivals.atLeast(flood.length - givenUp, () => true);
    const sent = (/** @type {string} */ wanted) => flood.filter(({ priority }) => priority === wanted);
    const arrived = (/** @type {string} */ wanted) => entries.filter(({ priority }) => priority === wanted);
    const textsOf = (/** @type {{text: string}[]} */ messages) => messages.map(({ text }) => text);
    assert.deepEqual(textsOf(arrived('High')).sort(), textsOf(sent('High')).sort());
    const share = (/** @type {string} */ wanted) => arrived(wanted).length / sent(wanted).length;
    assert.ok(share('Low') < 1, 'a part of what matters least is given up');
    assert.ok(share('Low') < share('Normal'), `${share('Low')} of Low, ${share('Normal')} of Normal`);
    assert.equal(new Set(entries.map(({ text }) => text)).size, entries.length, 'none twice');

    // At most 40 are let through in any second. On their way some are delayed and come closer together: what arrives within a
    // second less the longest delay was let through within a second. The server gathers for up to 200 ms when it is behind;
    // the rest is what this machine makes of it, of which asking and answering shows a part.
    const delay = 300 + 2 * Math.max(...entries.map((arrival) => arrival.delay));
    for (const seconds of [1, 2, 3]) {
      const most = mostWithin(entries, seconds * 1_000 - delay);
      assert.ok(most <= seconds * LIMIT, `${most} within ${seconds} s, delayed by ${delay} ms`);
    }
    // By the server's own clock there is hardly a delay: a slot's worth of one second may be stamped in the next.
    /** @type {Map<number, number>} */
    const bySecond = new Map();
    for (const { time } of entries) bySecond.set(time, (bySecond.get(time) ?? 0) + 1);
    for (const [second, count] of bySecond) assert.ok(count <= 1.25 * LIMIT, `${count} in the second ${second}`);

    // All viewers get the same; only what somebody says himself does not come back to him.
    const seen = textsOf(entries);
    for (const client of viewers) {
      const own = textsOf(ofViewers.filter((_, index) => senderOf(index) === client));
      const expected = seen.filter((text) => !own.includes(text));
      await client.received.atLeast(expected.length, ({ to, type }) => to === room && type === 'TIMTextElem');
      assert.deepEqual(textsIn(client, room), expected);
      neverPolled(client);
    }
    await stopwatch.stop();
    await Promise.all(viewers.map((client) => client.kill()));
  });
});
