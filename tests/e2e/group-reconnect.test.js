/** Groups and lost connections: nothing that was said meanwhile is missing, doubled or out of order. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  NOTICE,
  SDKS,
  TYPE,
  cleanUpAfterwards,
  conversationID,
  groupText,
  historyOf,
  makeGroup,
  notice,
  sayIn,
  startProxy,
  startServer,
  textsIn,
  textsOfHistory,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @typedef {import('./harness/client.js').Client} Client */

/** A client that found the server gone comes back with its next hello, so this may take longer than other things. */
const RETURN_DEADLINE_MS = 90_000;

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'rest.calls_per_second': 100_000, 'group.messages_per_second': 100_000 });
});

/** The texts of a group as the server has stored them, oldest first. @param {string} group @param {import('./harness/server.js').Server} [at] */
async function stored(group, at = server) {
  const { RspMsgList } = await at.restOk('group_open_http_svc/group_msg_get_simple', {
    GroupId: group,
    ReqMsgNumber: 20,
  });
  return RspMsgList.map((/** @type {any} */ message) => message.MsgBody[0]?.MsgContent.Text).reverse();
}

/** @param {Client} client @param {(passing: import('./harness/client.js').Frame) => boolean} predicate */
const count = (client, predicate) => client.frames.entries.filter(predicate).length;

describe('groups and lost connections', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    describe(`with ${sdk}`, { concurrency: false }, () => {
      /** @type {Client} */ let alice;
      /** @type {Client} */ let bob;
      /** @type {import('./harness/proxy.js').Proxy} */ let proxy;
      /** @type {string} */ let group;

      before(async () => {
        proxy = await startProxy(server);
        alice = await server.startClient({ sdk, user: userNamed('alice') });
        bob = await server.startClient({ sdk, user: userNamed('bob'), through: proxy });
      });

      /** A group of both, in which everything is read. */
      async function fresh() {
        group = await makeGroup(server, { owner: alice, members: [bob] });
        await sayIn(alice, group, 'before');
        await bob.conversationWhere({ group }, (item) => item?.unreadCount === 1);
        await bob.call('setMessageRead', { conversationID: conversationID({ group }) });
        await bob.conversationWhere({ group }, (item) => item.unreadCount === 0);
      }

      /**
       * Ends the network of Bob for as long as `meanwhile` takes, and waits until he has caught up.
       *
       * @param {() => Promise<any>} meanwhile
       */
      async function withoutNetwork(meanwhile) {
        const isOpening = (/** @type {any} */ { direction }) => direction === 'open';
        const isFetch = (/** @type {any} */ { direction, frame }) =>
          direction === 'in' && frame.head.servcmd === 'openim.getmsg';
        await server.connectionsAged();
        const [openings, fetches] = [count(bob, isOpening), count(bob, isFetch)];
        proxy.hold();
        await meanwhile();
        proxy.release();
        await bob.frames.atLeast(openings + 1, isOpening, { what: 'new connection' });
        await bob.frames.atLeast(fetches + 1, isFetch, { what: 'reply to openim.getmsg after the reconnect' });
      }

      /** What was said is there, once, in order, live and for a new login. @param {string[]} texts @param {number} unread */
      async function nothingIsMissing(texts, unread) {
        await bob.conversationWhere({ group }, (item) => item?.unreadCount === unread);
        await sayIn(alice, group, 'fence');
        await bob.message((message) => message.to === group && message.payload.text === 'fence');
        for (const text of textsIn(bob, group)) {
          assert.equal(textsIn(bob, group).filter((other) => other === text).length, 1, `${text} came twice`);
        }
        assert.deepEqual(await textsOfHistory(bob, group), [...texts, 'fence']);
        await bob.conversationWhere(
          { group },
          (item) => item.unreadCount === unread + 1 && item.lastMessage.payload.text === 'fence',
        );
      }

      test('what is said during an outage is there afterwards', async () => {
        await fresh();
        const texts = ['gap 1', 'gap 2', 'gap 3'];
        await withoutNetwork(async () => {
          for (const text of texts) await sayIn(alice, group, text);
        });
        await nothingIsMissing(['before', ...texts], texts.length);
      });

      test('more than a page of it, with tips in between, is there', async () => {
        await fresh();
        const texts = Array.from({ length: 50 }, (_, index) => `gap ${index}`);
        await withoutNetwork(async () => {
          for (const [index, text] of texts.entries()) {
            await server.restOk(
              'group_open_http_svc/send_group_msg',
              groupText(group, text, { From_Account: alice.user }),
            );
            if (index === 20) {
              await server.restOk('group_open_http_svc/modify_group_base_info', { GroupId: group, Name: 'new name' });
            }
          }
        });
        // Recovery goes on, page by page, when the count is right already.
        const isLast = (/** @type {any} */ body) => body.GroupId === group && body.RspMsgList[0]?.MsgSeq === 52;
        await bob.reply('group_open_http_svc.group_msg_get', isLast);
        await nothingIsMissing(['before', ...texts], texts.length);
        const { messages } = await historyOf(bob, group);
        assert.equal(messages.filter(({ type }) => type === 'TIMGroupTipElem').length, 1);
      });

      test('two outages in a row lose and double nothing', async () => {
        await fresh();
        await withoutNetwork(() => sayIn(alice, group, 'during the first'));
        await bob.conversationWhere({ group }, (item) => item?.unreadCount === 1);
        await sayIn(alice, group, 'between');
        await bob.message((message) => message.to === group && message.payload.text === 'between');
        await withoutNetwork(() => sayIn(alice, group, 'during the second'));
        await nothingIsMissing(['before', 'during the first', 'between', 'during the second'], 3);
      });

      test('a push that was lost with the connection is there after it', async () => {
        await fresh();
        const lost = proxy.loseNext(
          ({ direction, frame }) => direction === 'down' && frame.head.servcmd === 'im_open_push.msg_push',
        );
        await sayIn(alice, group, 'swallowed');
        await lost;
        await withoutNetwork(async () => {});
        await nothingIsMissing(['before', 'swallowed'], 1);
      });

      test('the first words of a group that one was brought into meanwhile are there', async () => {
        await fresh();
        await withoutNetwork(async () => {
          group = `meanwhile-${sdk}`;
          await server.restOk('group_open_http_svc/create_group', {
            Owner_Account: alice.user,
            Type: TYPE.public,
            GroupId: group,
            Name: 'meanwhile',
            MemberList: [{ Member_Account: bob.user }],
          });
          await notice(alice, group, NOTICE.invited);
          await sayIn(alice, group, 'welcome');
        });
        await nothingIsMissing(['welcome'], 1);
      });

      test('who was removed meanwhile is out', async () => {
        await fresh();
        await withoutNetwork(() =>
          server.restOk('group_open_http_svc/delete_group_member', {
            GroupId: group,
            MemberToDel_Account: [bob.user],
          }),
        );
        await sayIn(alice, group, 'without him');
        await alice.sendText(bob.user, `fence ${group}`);
        await bob.message(`fence ${group}`);
        assert.deepEqual(textsIn(bob, group), ['before']);
        await assert.rejects(sayIn(bob, group, 'still here?'));
      });

      for (const [what, direction] of /** @type {const} */ ([
        ['the reply', 'down'],
        ['the request', 'up'],
      ])) {
        test(`${what} of a send is lost: the package sends again, and it is stored and delivered once`, async () => {
          await fresh();
          await server.connectionsAged();
          const isSend = (/** @type {any} */ frame) => frame.head.servcmd === 'group_open_http_svc.send_group_msg';
          const lost = proxy.loseNext((passing) => passing.direction === direction && isSend(passing.frame));
          const sending = sayIn(bob, group, 'resent');
          await lost;
          proxy.cut();
          const sent = await sending;
          const received = await alice.message((message) => message.to === group && message.payload.text === 'resent');
          assert.deepEqual([received.ID, received.sequence, received.time], [sent.ID, sent.sequence, sent.time]);
          await sayIn(bob, group, 'next');
          await alice.message((message) => message.to === group && message.payload.text === 'next');
          assert.deepEqual(textsIn(alice, group), ['resent', 'next']);
          assert.deepEqual(await stored(group), ['before', 'resent', 'next']);
        });
      }
    });
  }
});

describe('groups after a crash', { concurrency: true }, () => {
  for (const sdk of SDKS) {
    test(`${sdk}: group, members and messages are there, and the clients go on`, async () => {
      const crashing = await startServer();
      await crashing.set({ 'login.hello_s': 5 });
      const [alice, bob] = await Promise.all(
        ['alice', 'bob'].map((name) => crashing.startClient({ sdk, user: userNamed(name) })),
      );
      const group = await makeGroup(crashing, { owner: alice, members: [bob], options: { Notification: 'hear' } });
      await sayIn(alice, group, 'before');
      await bob.message('before');
      await crashing.restOk('group_open_http_svc/modify_group_member_info', {
        GroupId: group,
        Member_Account: bob.user,
        Role: 'Admin',
        NameCard: 'Robert',
      });
      await sayIn(bob, group, 'acknowledged');
      await crashing.kill9();
      await crashing.restart();

      const sent = await sayIn(alice, group, 'after');
      await bob.received.next((message) => message.payload?.text === 'after', {
        deadlineMs: RETURN_DEADLINE_MS,
        what: 'message after the crash',
      });
      assert.equal(sent.sequence, 4, 'before, a tip, acknowledged');
      await sayIn(bob, group, 'answer');
      assert.equal((await alice.message('answer')).nameCard, 'Robert');
      const texts = ['before', 'acknowledged', 'after', 'answer'];
      for (const client of [alice, bob]) {
        // Messages of one second may be out of order in a package's memory, where it keeps what it had before the crash.
        const { messages } = await historyOf(client, group);
        const ordered = messages.filter(({ type }) => type === 'TIMTextElem').sort((a, b) => a.sequence - b.sequence);
        assert.deepEqual(
          ordered.map(({ payload }) => payload.text),
          texts,
        );
        assert.equal(
          client.events.entries.some(({ name }) => name === 'kickedOut' || name === 'sdkStateNotReady'),
          false,
        );
      }
      const { data } = await alice.call('getGroupMemberList', { groupID: group, count: 100 });
      assert.deepEqual(
        data.memberList.map((/** @type {any} */ item) => [item.userID, item.role, item.nameCard]),
        [
          [alice.user, 'Owner', ''],
          [bob.user, 'Admin', 'Robert'],
        ],
      );
      assert.equal((await bob.call('getGroupProfile', { groupID: group })).data.group.notification, 'hear');
      const again = await crashing.startClient({ sdk, user: bob.user });
      assert.deepEqual(await textsOfHistory(again, group), texts);
      await Promise.all([alice, bob, again].map((client) => client.kill()));
      await crashing.stop();
    });
  }
});
