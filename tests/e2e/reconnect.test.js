/** Connections that die: what was sent meanwhile arrives once, what was acknowledged is stored once. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  SDKS,
  cleanUpAfterwards,
  nowSeconds,
  startProxy,
  startServer,
  storedTexts,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
  await server.set({ 'rest.calls_per_second': 100_000 }); // `past` asks as fast as it can.
});

/** The requests of that command that a client sent. @param {import('./harness/client.js').Client} client @param {string} command */
const requestsOf = (client, command) =>
  client.frames.entries
    .filter(({ direction, frame }) => direction === 'out' && frame.head.servcmd === command)
    .map(({ frame }) => frame);

for (const sdk of SDKS) {
  describe(`reconnecting with ${sdk}`, () => {
    /** @type {import('./harness/client.js').Client} */ let alice;
    /** @type {import('./harness/client.js').Client} */ let bob;
    /** @type {import('./harness/proxy.js').Proxy} */ let proxy;

    /** Alice is connected directly, Bob through a proxy. */
    async function pair() {
      proxy = await startProxy(server);
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      bob = await server.startClient({ sdk, user: userNamed('bob'), through: proxy });
      await server.connectionsAged();
    }

    /** Ends the network of Bob for as long as `meanwhile` takes, and waits until he has caught up. @param {() => Promise<void>} meanwhile */
    async function withoutNetwork(meanwhile) {
      const [openings, fetches] = [openingsOf(bob), requestsOf(bob, 'openim.getmsg').length];
      proxy.hold();
      await meanwhile();
      proxy.release();
      await bob.frames.atLeast(openings + 1, ({ direction }) => direction === 'open', { what: 'new connection' });
      await bob.frames.atLeast(
        fetches + 1,
        ({ direction, frame }) => direction === 'in' && frame.head.servcmd === 'openim.getmsg',
        { what: 'reply to openim.getmsg after the reconnect' },
      );
    }

    /** @param {import('./harness/client.js').Client} client */
    const openingsOf = (client) => client.frames.entries.filter(({ direction }) => direction === 'open').length;

    /** A message sent after all others has arrived; so what has not arrived by now never will. */
    async function fence() {
      const text = userNamed('fence');
      await alice.sendText(bob.user, text);
      await bob.message(text);
    }

    test('messages of the same second, sent during an outage, arrive once and are counted', async () => {
      await pair();
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      const texts = ['gap 1', 'gap 2', 'gap 3'];
      await withoutNetwork(async () => {
        for (const text of texts) await alice.sendText(bob.user, text);
      });
      for (const text of texts) await bob.message(text);
      await fence();
      for (const text of ['before', ...texts]) assert.equal(bob.timesReceived(text), 1, text);
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 5);
    });

    test('messages of later seconds arrive once, in order, and are counted', async () => {
      await pair();
      const first = await alice.sendText(bob.user, 'before');
      await bob.message('before');
      const texts = ['gap 1', 'gap 2', 'gap 3'];
      await withoutNetwork(async () => {
        let { time } = first;
        for (const text of texts) {
          await server.past(time);
          ({ time } = await alice.sendText(bob.user, text));
        }
      });
      for (const text of texts) await bob.message(text);
      await fence();
      const seen = bob.received.entries.map((message) => message.payload.text);
      assert.deepEqual(
        seen.filter((text) => !text.startsWith('fence')),
        ['before', ...texts],
      );
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 5);
    });

    test('messages from somebody new arrive once', async () => {
      await pair();
      await withoutNetwork(async () => {
        await alice.sendText(bob.user, 'first contact');
      });
      await bob.message('first contact');
      await fence();
      assert.equal(bob.timesReceived('first contact'), 1);
      await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === 2);
    });

    test('more messages than a page, with reading and answering around it, arrive once', async () => {
      await pair();
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      await bob.call('setMessageRead', { conversationID: `C2C${alice.user}` });
      const { time } = await bob.sendText(alice.user, 'answer');
      const texts = Array.from({ length: 40 }, (_, index) => `gap ${index}`);
      await withoutNetwork(async () => {
        await server.past(time);
        for (const text of texts) await alice.sendText(bob.user, text);
      });
      for (const text of texts) await bob.message(text);
      await fence();
      for (const text of ['before', ...texts]) assert.equal(bob.timesReceived(text), 1, text);
      assert.equal(bob.timesReceived('answer'), 0, 'own messages are no news');
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === texts.length + 1);
    });

    test('hundreds of messages from several people arrive once and are counted', async () => {
      await pair();
      const carol = userNamed('carol');
      await server.restOk('im_open_login_svc/account_import', { UserID: carol });
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      const texts = Array.from({ length: 300 }, (_, index) => `gap ${index}`);
      await withoutNetwork(async () => {
        for (const [index, text] of texts.entries()) {
          await server.restOk('openim/sendmsg', {
            From_Account: index % 2 === 0 ? alice.user : carol,
            To_Account: bob.user,
            MsgSeq: 1000 + index,
            MsgRandom: 1000 + index,
            MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
          });
        }
      });
      for (const text of texts) await bob.message(text);
      await fence();
      for (const text of ['before', ...texts]) assert.equal(bob.timesReceived(text), 1, text);
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === 152);
      await bob.conversationWhere(carol, (conversation) => conversation.unreadCount === 150);
    });

    test('what waited for the login is no news after a reconnect either', async () => {
      proxy = await startProxy(server);
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      const user = userNamed('bob');
      await server.restOk('im_open_login_svc/account_import', { UserID: user });
      const texts = Array.from({ length: 30 }, (_, index) => `waiting ${index}`);
      for (const text of texts) await alice.sendText(user, text);
      await server.connectionsAged();
      bob = await server.startClient({ sdk, user, through: proxy });
      await bob.conversationWhere(alice.user, (conversation) => conversation?.unreadCount === texts.length);
      await server.connectionsAged();
      await withoutNetwork(() => alice.sendText(user, 'in the gap').then());
      await bob.message('in the gap');
      await fence();
      assert.deepEqual(
        bob.received.entries.map((message) => message.payload.text).filter((text) => text.startsWith('waiting')),
        [],
      );
      await bob.conversationWhere(alice.user, (conversation) => conversation.unreadCount === texts.length + 2);
    });

    test('two outages in a row lose and double nothing', async () => {
      await pair();
      await withoutNetwork(() => alice.sendText(bob.user, 'during the first').then());
      await bob.message('during the first');
      await alice.sendText(bob.user, 'between');
      await bob.message('between');
      await server.connectionsAged();
      await withoutNetwork(() => alice.sendText(bob.user, 'during the second').then());
      await bob.message('during the second');
      await fence();
      for (const text of ['during the first', 'between', 'during the second'])
        assert.equal(bob.timesReceived(text), 1, text);
    });

    test('a sender who was away learns that his messages were read meanwhile', async () => {
      await pair();
      await bob.sendText(alice.user, 'have you seen this?');
      await alice.conversationWhere(bob.user, (conversation) => conversation?.unreadCount === 1);
      await withoutNetwork(async () => {
        await alice.call('setMessageRead', { conversationID: `C2C${bob.user}` });
      });
      const [message] = await bob.next('onMessageReadByPeer');
      assert.deepEqual([message.payload.text, message.isPeerRead], ['have you seen this?', true]);
    });

    test('after a cut the client goes on with its session: no new login by the user, no kick', async () => {
      await pair();
      await bob.cutSocket();
      await bob.frames.next(({ direction }) => direction === 'close');
      const login = await bob.request('im_open_status.wslogin', () => true);
      const second = await bob.request('im_open_status.wslogin', () => true);
      assert.equal(login.head.a2, undefined);
      assert.notEqual(second.head.a2, undefined);
      await alice.sendText(bob.user, 'still there?');
      await bob.message('still there?');
      assert.equal(
        bob.events.entries.some(({ name }) => name === 'kickedOut'),
        false,
      );
      await bob.sendText(alice.user, 'yes');
      await alice.message('yes');
    });

    test('a push that was lost with the connection comes after it', async () => {
      await pair();
      await alice.sendText(bob.user, 'before');
      await bob.message('before');
      const lost = proxy.loseNext(
        ({ direction, frame }) => direction === 'down' && frame.head.servcmd === 'im_open_push.msg_push',
      );
      await alice.sendText(bob.user, 'swallowed');
      await lost;
      proxy.cut();
      await bob.message('swallowed');
      await fence();
      assert.equal(bob.timesReceived('swallowed'), 1);
    });

    for (const [what, direction] of /** @type {const} */ ([
      ['the reply', 'down'],
      ['the request', 'up'],
    ])) {
      test(`${what} of a send is lost: the package sends it again and it is stored and delivered once`, async () => {
        await pair();
        const lost = proxy.loseNext(
          (passing) => passing.direction === direction && passing.frame.head.servcmd === 'openim.sendmsg',
        );
        const sending = bob.sendText(alice.user, 'resent');
        await lost;
        proxy.cut();
        const sent = await sending;

        const requests = requestsOf(bob, 'openim.sendmsg');
        assert.ok(requests.length >= 2, 'the package did not send again');
        for (const { head, body } of requests) {
          assert.equal(head.seq, requests[0].head.seq);
          assert.deepEqual(body, requests[0].body);
        }
        const received = await alice.message('resent');
        assert.deepEqual([received.ID, received.time], [sent.ID, sent.time]);
        await bob.sendText(alice.user, 'next');
        await alice.message('next');
        assert.equal(alice.timesReceived('resent'), 1);
        assert.deepEqual(await storedTexts(server, alice.user, bob.user), ['resent', 'next']);
        assert.deepEqual(await storedTexts(server, bob.user, alice.user), ['resent', 'next']);
      });
    }
  });
}

describe('gap recovery as bare frames', () => {
  test('with many messages in each second, a client that asks by time alone gets ahead and gets all', async () => {
    const [alice, bob] = [userNamed('alice'), userNamed('bob')];
    await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: alice }, { UserID: bob }] });
    const send = (/** @type {number} */ number) =>
      server.restOk('openim/sendmsg', {
        From_Account: alice,
        To_Account: bob,
        MsgSeq: number,
        MsgRandom: number,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: `message ${number}` } }],
      });
    for (let volley = 0; volley < 3; volley += 1) {
      const sent = await Promise.all(Array.from({ length: 40 }, (_, index) => send(1 + volley * 40 + index)));
      await server.past(Math.max(...sent.map(({ MsgTime }) => MsgTime)));
    }
    const connection = await server.openRaw();
    await connection.login(bob);
    const ask = (/** @type {number} */ LastMsgTime) =>
      connection.ask('openim.getroammsg', {
        Peer_Account: alice,
        MaxCnt: 16,
        LastMsgTime,
        MsgKey: '',
        WithRecalledMsg: 1,
        GetDirection: 1,
      });
    /** @type {Set<number>} */
    const seen = new Set();
    let page = await ask(1);
    for (;;) {
      for (const message of page.MsgList) seen.add(message.MsgRandom);
      if (page.Complete === 1) break;
      const first = page.MsgList[0].MsgTimeStamp;
      const last = page.MsgList.at(-1).MsgTimeStamp;
      const next = await ask(last);
      const progress = next.Complete === 1 || next.MsgList.at(-1).MsgTimeStamp > last;
      assert.ok(progress, `asked from ${first}, then from ${last}: the same page for ever`);
      page = next;
    }
    assert.equal(seen.size, 120);
  });
});

describe('resent requests as bare frames', () => {
  test('a request that comes before the login on a new connection is served by its session token', async () => {
    const [alice, bob] = [await server.openRaw(), await server.openRaw()];
    const [aliceName, bobName] = [userNamed('alice'), userNamed('bob')];
    await alice.login(aliceName);
    await bob.login(bobName);
    const message = {
      From_Account: aliceName,
      To_Account: bobName,
      MsgSeq: 2328140001,
      MsgRandom: 6882155,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'again' } }],
      MsgClientTime: nowSeconds(),
    };
    const first = await alice.ask('openim.sendmsg', message, { seq: 4_000_000 });
    await alice.terminate();

    const next = await server.openRaw();
    next.credentials = alice.credentials;
    const second = await next.ask('openim.sendmsg', message, { seq: 4_000_000 });
    assert.equal(first.ErrorCode, 0);
    assert.deepEqual([second.ErrorCode, second.MsgTime, second.MsgKey], [0, first.MsgTime, first.MsgKey]);
    const third = await next.ask('openim.sendmsg', { ...message, MsgRandom: 1 }, { seq: 4_000_001 });
    assert.equal(third.ErrorCode, 0);
    await bob.pushed((event) => event.C2cMsgArray?.[0].MsgRandom === 1);
    const delivered = bob.frames.entries
      .flatMap(({ frame }) => frame.body.EventArray ?? [])
      .flatMap((event) => event.C2cMsgArray ?? []);
    assert.deepEqual(
      delivered.map((each) => each.MsgRandom),
      [6882155, 1],
    );
  });
});
