/** One-to-one messages: every basic element, both ways, by client and by REST. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { before, describe, test } from 'node:test';
import {
  ADMINISTRATOR,
  CLIENT_ELEMENTS,
  REST_ELEMENTS,
  SDKS,
  cleanUpAfterwards,
  nowSeconds,
  refusedWith,
  startServer,
  storedTexts,
  userNamed,
} from './harness/index.js';

cleanUpAfterwards();

/** @type {import('./harness/server.js').Server} */
let server;

before(async () => {
  server = await startServer();
});

/** The messages of a pushed frame's first event. @param {any} body */
const messagesIn = (body) => body.EventArray?.[0]?.C2cMsgArray ?? [];

/**
 * The message as it was pushed to a client.
 *
 * @param {import('./harness/client.js').Client} client
 * @param {(message: any) => boolean} predicate
 */
async function pushOf(client, predicate) {
  const { body } = await client.reply('im_open_push.msg_push', (body) => messagesIn(body).some(predicate));
  return messagesIn(body).find(predicate);
}

/** @param {import('./harness/client.js').Client} client @param {string} peer */
const history = async (client, peer) =>
  (await client.call('getMessageList', { conversationID: `C2C${peer}` })).data.messageList;

for (const sdk of SDKS) {
  describe(`messages with ${sdk}`, () => {
    /** @type {import('./harness/client.js').Client} */ let alice;
    /** @type {import('./harness/client.js').Client} */ let bob;

    before(async () => {
      alice = await server.startClient({ sdk, user: userNamed('alice') });
      bob = await server.startClient({ sdk, user: userNamed('bob') });
    });

    for (const { kind, payload } of CLIENT_ELEMENTS) {
      test(`${kind}: both ways between clients, and the same in the history`, async () => {
        for (const [from, to] of [
          [alice, bob],
          [bob, alice],
        ]) {
          const sent = await from.send(kind, to.user, payload, { message: { cloudCustomData: '{"thread":7}' } });
          const received = await to.message((message) => message.ID === sent.ID);
          assert.deepEqual(received.payload, sent.payload);
          assert.equal(received.cloudCustomData, '{"thread":7}');
          assert.equal(received.from, from.user);
          assert.equal(received.to, to.user);
          assert.equal(received.flow, 'in');
          assert.equal(received.time, sent.time);
        }
        const reader = await server.startClient({ sdk, user: userNamed('reader') });
        const sent = await reader.send(kind, bob.user, payload);
        await bob.message((message) => message.ID === sent.ID);
        await reader.kill();
        const again = await server.startClient({ sdk, user: reader.user });
        const [stored] = await history(again, bob.user);
        assert.equal(stored.ID, sent.ID);
        assert.deepEqual(stored.payload, sent.payload);
        await again.kill();
      });
    }

    for (const element of REST_ELEMENTS) {
      test(`${element.MsgType}: sent by REST, received intact, forwarded by the client and intact again`, async () => {
        const MsgRandom = randomInt(2 ** 32);
        const answer = await server.restOk('openim/sendmsg', {
          SyncOtherMachine: 1,
          From_Account: alice.user,
          To_Account: bob.user,
          MsgRandom,
          MsgBody: [element],
          CloudCustomData: 'with it',
        });
        const pushed = await pushOf(bob, (message) => message.MsgRandom === MsgRandom);
        assert.deepEqual(pushed.MsgBody, [element]);
        assert.equal(answer.MsgKey, `${pushed.MsgSeq}_${pushed.MsgRandom}_${pushed.MsgTimeStamp}`);
        const received = await bob.message((message) => message.random === pushed.MsgRandom);
        assert.equal(received.type, element.MsgType);
        assert.equal(received.cloudCustomData, 'with it');
        for (const url of JSON.stringify(element).matchAll(/https:[^"]*/g)) {
          assert.ok(
            JSON.stringify(received.payload).includes(url[0]),
            `${url[0]} in ${JSON.stringify(received.payload)}`,
          );
        }

        const forwarded = await bob.send('Forward', alice.user, { $message: received.ID });
        const back = await alice.message((message) => message.ID === forwarded.ID);
        assert.equal(back.type, element.MsgType);
        const request = await bob.request('openim.sendmsg', (body) => body.MsgRandom === forwarded.random);
        const again = await pushOf(alice, (message) => message.MsgRandom === forwarded.random);
        assert.deepEqual(again.MsgBody, request.body.MsgBody);
        await alice.message((message) => message.random === pushed.MsgRandom); // The copy for the sender's own devices.
      });
    }

    test('a message of several elements arrives as it was sent', async () => {
      const body = [REST_ELEMENTS[0], REST_ELEMENTS[2], REST_ELEMENTS[3]];
      await server.restOk('openim/sendmsg', {
        SyncOtherMachine: 2,
        From_Account: alice.user,
        To_Account: bob.user,
        MsgRandom: 77,
        MsgBody: body,
      });
      assert.deepEqual((await pushOf(bob, (message) => message.MsgRandom === 77)).MsgBody, body);
    });

    test('merged messages travel whole', async () => {
      const first = await alice.sendText(bob.user, 'one of the merged');
      await bob.message('one of the merged');
      const sent = await alice.send('Merger', bob.user, {
        messageList: [{ $message: first.ID }],
        title: 'what we said',
        abstractList: ['alice: one of the merged'],
        compatibleText: 'your version cannot show this',
      });
      const received = await bob.message((message) => message.ID === sent.ID);
      assert.equal(received.type, 'TIMRelayElem');
      assert.equal(received.payload.title, 'what we said');
      assert.equal(received.payload.messageList.length, 1);
    });

    test("every copy keeps the sender's numbers, and the push carries all that the packages read", async () => {
      const sent = await alice.sendText(bob.user, 'golden');
      const request = await alice.request('openim.sendmsg', (body) => body.MsgBody[0].MsgContent.Text === 'golden');
      const push = await bob.reply('im_open_push.msg_push', (body) =>
        messagesIn(body).some((/** @type {any} */ each) => each.MsgBody[0].MsgContent.Text === 'golden'),
      );
      const [message] = messagesIn(push.body);
      const { MsgTimeStamp, TinyId, ...rest } = message;

      assert.ok(Math.abs(MsgTimeStamp - nowSeconds()) <= 60);
      assert.match(TinyId, /^[0-9]+$/);
      assert.equal(`${TinyId}-${request.body.MsgClientTime}-${request.body.MsgRandom}`, sent.ID);
      for (const key of [
        'From_Account',
        'To_Account',
        'MsgSeq',
        'MsgRandom',
        'MsgClientTime',
        'MsgBody',
        'CloudCustomData',
      ]) {
        assert.deepEqual(rest[key], request.body[key], key);
      }
      for (const [key, value] of Object.entries({
        IsNeedReadReceipt: 0,
        SupportMessageExtension: 0,
        MsgVersion: 0,
        MsgFlagBits: 0,
        IsPeerRead: 0,
      })) {
        assert.equal(rest[key] ?? 0, value, key);
      }
      if (push.body.NeedAck === 1) {
        await bob.request('openim.ws_msg_push_ack', (body) => body.SessionData === push.body.SessionData);
      }
      const [fetched] = (
        await bob.call('getMessageList', { conversationID: `C2C${alice.user}` })
      ).data.messageList.slice(-1);
      assert.equal(fetched.ID, sent.ID);
    });

    test('a message for those online only is delivered, and is in no history, list or count', async () => {
      const [carol, dave] = [userNamed('carol'), userNamed('dave')];
      const from = await server.startClient({ sdk, user: carol });
      const to = await server.startClient({ sdk, user: dave });
      const sent = await from.sendText(dave, 'typing …', { options: { onlineUserOnly: true } });
      await to.message((message) => message.ID === sent.ID);
      await to.kill();
      const again = await server.startClient({ sdk, user: dave });
      assert.equal(await again.conversation(carol), undefined);
      assert.deepEqual(await history(again, carol), []);
    });

    test('a message to a user who does not exist is refused', async () => {
      const error = await refusedWith(alice.sendText(userNamed('ghost'), 'anybody there?'), 20003).catch((e) => e);
      assert.ok([20003, 90012, 90048].includes(error.code), `${error}`);
    });
  });
}

describe('messages between the two packages', () => {
  test('both send at once, as fast as they can: nothing is lost or doubled and all see one order', async () => {
    const chat = await server.startClient({ sdk: 'chat', user: userNamed('chat') });
    const tim = await server.startClient({ sdk: 'tim', user: userNamed('tim') });
    const texts = Array.from({ length: 100 }, (_, index) => `shot ${index}`);
    await Promise.all([
      ...texts.map((text) => chat.sendText(tim.user, text)),
      ...texts.map((text) => tim.sendText(chat.user, text)),
    ]);
    for (const client of [chat, tim]) {
      await client.received.atLeast(texts.length, () => true, { what: 'messages of the crossfire' });
      assert.deepEqual(
        client.received.entries.map((message) => message.payload.text),
        texts,
        'in the order of sending',
      );
    }
    const views = await Promise.all([
      storedTexts(server, chat.user, tim.user),
      storedTexts(server, tim.user, chat.user),
    ]);
    assert.equal(views[0].length, 2 * texts.length);
    assert.deepEqual(views[0], views[1]);
    await Promise.all([chat, tim].map((each) => each.kill()));
  });

  test('any printable characters make a user name, and no name is mixed up with another', async () => {
    const names = ['a b', 'a b|c', 'a/b', 'it\'s "quoted"', '~{[(<&%#@!?*>)]}', 'a\\b', '0', '00', 'A B'].map(
      (name) => `${name}${process.pid}`,
    );
    const chat = await server.startClient({ sdk: 'chat', user: names[0] });
    const tim = await server.startClient({ sdk: 'tim', user: names[1] });
    for (const name of names.slice(2)) {
      await server.restOk('im_open_login_svc/account_import', { UserID: name });
      await server.restOk('openim/sendmsg', {
        From_Account: name,
        To_Account: chat.user,
        MsgRandom: 1,
        MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: `from ${name}` } }],
      });
      assert.equal((await chat.message(`from ${name}`)).from, name);
    }
    await tim.sendText(chat.user, 'from tim');
    await chat.message('from tim');
    await chat.kill();
    const again = await server.startClient({ sdk: 'chat', user: names[0] });
    for (const name of names.slice(2)) {
      await again.conversationWhere(name, (conversation) => conversation?.unreadCount === 1);
      assert.deepEqual(await storedTexts(server, names[0], name), [`from ${name}`]);
    }
    await Promise.all([again, tim].map((each) => each.kill()));
  });

  test('each understands what the other sends', async () => {
    const chat = await server.startClient({ sdk: 'chat', user: userNamed('chat') });
    const tim = await server.startClient({ sdk: 'tim', user: userNamed('tim') });
    for (const [from, to] of [
      [chat, tim],
      [tim, chat],
    ]) {
      for (const { kind, payload } of CLIENT_ELEMENTS) {
        const sent = await from.send(kind, to.user, payload);
        const received = await to.message((message) => message.ID === sent.ID);
        for (const [key, value] of Object.entries(payload))
          assert.deepEqual(received.payload[key], value, `${kind}.${key}`);
      }
    }
  });
});

describe('openim/sendmsg', () => {
  /** @type {string} */ let from;
  /** @type {string} */ let to;
  /** @param {object} changes */
  const message = (changes = {}) => ({
    From_Account: from,
    To_Account: to,
    MsgSeq: 93847636,
    MsgRandom: 1287657,
    MsgBody: [REST_ELEMENTS[0]],
    ...changes,
  });

  before(async () => {
    [from, to] = [userNamed('from'), userNamed('to')];
    await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
  });

  test('a repeated call with the same numbers and content is the same message', async () => {
    const client = await server.startClient({ sdk: 'chat', user: to });
    const first = await server.restOk('openim/sendmsg', message());
    const second = await server.restOk('openim/sendmsg', message());
    assert.deepEqual([second.MsgKey, second.MsgTime], [first.MsgKey, first.MsgTime]);
    // The packages know a message by its numbers alone, so they show no other content; the history does.
    await server.restOk('openim/sendmsg', message({ MsgBody: [REST_ELEMENTS[2]] }));
    await server.restOk('openim/sendmsg', message({ MsgSeq: 1 }));
    await client.message((received) => received.sequence === 1);
    assert.equal(client.received.entries.filter(({ type }) => type === 'TIMTextElem').length, 2);
    const stored = await server.restOk('openim/admin_getroammsg', {
      Operator_Account: to,
      Peer_Account: from,
      MaxCnt: 100,
      MinTime: 0,
      MaxTime: nowSeconds() + 60,
    });
    assert.equal(stored.MsgCnt, 3);
  });

  test('without a sender it is the administrator who sends', async () => {
    const client = await server.startClient({ sdk: 'tim', user: userNamed('to') });
    const { From_Account: _, ...anonymous } = message({ To_Account: client.user, MsgRandom: 5 });
    await server.restOk('openim/sendmsg', anonymous);
    assert.equal((await client.message(() => true)).from, ADMINISTRATOR);
  });

  test('a message that is only for those online is not kept', async () => {
    const receiver = userNamed('to');
    await server.restOk('im_open_login_svc/account_import', { UserID: receiver });
    await server.restOk('openim/sendmsg', message({ To_Account: receiver, OnlineOnlyFlag: 1, MsgRandom: 6 }));
    await server.restOk('openim/sendmsg', message({ To_Account: receiver, MsgLifeTime: 0, MsgRandom: 7 }));
    const client = await server.startClient({ sdk: 'chat', user: receiver });
    assert.equal(await client.conversation(from), undefined);
    assert.deepEqual(client.received.entries, []);
  });

  /** @type {[string, object, number[]][]} */
  const refusals = [
    ['no receiver', { To_Account: undefined }, [90003]],
    ['a receiver that is not a string', { To_Account: 12 }, [90003, 60015]],
    ['a receiver who does not exist', { To_Account: 'nobody-of-that-name' }, [90012]],
    ['a sender who does not exist', { From_Account: 'nobody-of-that-name' }, [90048, 20003]],
    ['no random number', { MsgRandom: undefined }, [90005]],
    ['a random number that is a string', { MsgRandom: 'x' }, [90005]],
    ['no body', { MsgBody: undefined }, [90002, 90007]],
    ['a body that is an object', { MsgBody: {} }, [90007]],
    ['an empty body', { MsgBody: [] }, [90002, 90007, 90010]],
    ['an element of an unknown type', { MsgBody: [{ MsgType: 'TIMNoSuchElem', MsgContent: {} }] }, [90010]],
    ['an element without content', { MsgBody: [{ MsgType: 'TIMTextElem' }] }, [90010, 90002]],
    ['a text that is a number', { MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 5 } }] }, [90010]],
    [
      'a body over 12 KiB',
      { MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'x'.repeat(13_000) } }] },
      [93000, 80002, 90055],
    ],
    ['a lifetime that is no number', { MsgLifeTime: 'long' }, [90044, 90026]],
    ['a sync option that is no number', { SyncOtherMachine: 'yes' }, [90031]],
  ];
  for (const [what, change, codes] of refusals) {
    test(`${what} is refused with ${codes.join(' or ')}`, async () => {
      const answer = await server.rest('openim/sendmsg', message({ MsgRandom: 99, ...change }));
      assert.equal(answer.ActionStatus, 'FAIL');
      assert.ok(codes.includes(answer.ErrorCode), JSON.stringify(answer));
    });
  }
});
