/** The history of a conversation, by page: order, completeness, both sides, both directions. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { SDKS, cleanUpAfterwards, nowSeconds, startServer, userNamed } from './harness/index.js';

cleanUpAfterwards();

/** More than three pages of the packages' 15. */
const COUNT = 50;
const TEXTS = Array.from({ length: COUNT }, (_, index) => `message ${index + 1}`);

/** @type {import('./harness/server.js').Server} */
let server;
/** @type {string} */ let alice;
/** @type {string} */ let bob;

before(async () => {
  server = await startServer();
  await server.set({ 'rest.calls_per_second': 100_000 }); // `past` asks as fast as it can.
  [alice, bob] = [userNamed('alice'), userNamed('bob')];
  await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: alice }, { UserID: bob }] });
  for (const [index, text] of TEXTS.entries()) {
    // Two busy seconds: following page by page leads from one into the other.
    if (index === 30) await server.past(nowSeconds());
    await server.restOk('openim/sendmsg', {
      From_Account: index % 3 === 0 ? bob : alice,
      To_Account: index % 3 === 0 ? alice : bob,
      MsgSeq: index + 1,
      MsgRandom: index + 1,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: text } }],
    });
  }
});

/** @param {any[]} messages */
const textsOf = (messages) => messages.map((message) => message.payload?.text ?? message.MsgBody[0].MsgContent.Text);

for (const sdk of SDKS) {
  describe(`history with ${sdk}`, () => {
    for (const side of ['alice', 'bob']) {
      test(`${side} pages back to the first message: nothing is missing, doubled or out of order`, async () => {
        const [user, peer] = side === 'alice' ? [alice, bob] : [bob, alice];
        const client = await server.startClient({ sdk, user });
        /** @type {any[]} */
        const seen = [];
        let pages = 0;
        let next;
        for (;;) {
          const { data } = await client.call('getMessageList', {
            conversationID: `C2C${peer}`,
            nextReqMessageID: next,
          });
          pages += 1;
          seen.unshift(...data.messageList);
          if (data.isCompleted) break;
          assert.ok(pages < COUNT, 'paging does not end');
          assert.equal(data.messageList.length, 15);
          next = data.nextReqMessageID;
        }
        assert.deepEqual(textsOf(seen), TEXTS);
        assert.ok(pages >= 4, `${pages} pages`);
        assert.equal(new Set(seen.map(({ ID }) => ID)).size, COUNT);
        for (const message of seen) assert.equal(message.flow, message.from === user ? 'out' : 'in');
        await client.kill();
      });
    }

    for (const direction of [0, 1]) {
      test(`it can be entered at a time and followed ${direction === 0 ? 'back' : 'forward'}`, async () => {
        const client = await server.startClient({ sdk, user: alice });
        const hop = async (/** @type {number} */ time) =>
          (await client.call('getMessageListHopping', { conversationID: `C2C${bob}`, count: 15, direction, time }))
            .data;
        let page = await hop(direction === 0 ? nowSeconds() + 60 : 1);
        assert.ok(page.messageList.length >= 15);
        const seen = page.messageList;
        const expected = (/** @type {number} */ count) =>
          direction === 0 ? TEXTS.slice(-count) : TEXTS.slice(0, count);
        assert.deepEqual(textsOf(seen), expected(seen.length));
        // The older package follows by whole seconds only, in which it can get nowhere with so many messages in one.
        for (let pages = 1; sdk === 'chat' && !page.isCompleted; pages += 1) {
          assert.ok(pages < COUNT, 'paging does not end');
          page = await hop(page.nextMessageTime);
          if (direction === 0) seen.unshift(...page.messageList);
          else seen.push(...page.messageList);
        }
        if (sdk === 'chat') assert.deepEqual(textsOf(seen), TEXTS);
      });
    }
  });
}

describe('openim.getroammsg as bare frames', () => {
  test('pages are oldest first, and their cursor leads to the page before', async () => {
    const connection = await server.openRaw();
    await connection.login(alice);
    /** @type {any[]} */
    const seen = [];
    let cursor = { LastMsgTime: 0, MsgKey: '' };
    for (let page = 0; ; page += 1) {
      const reply = await connection.ask('openim.getroammsg', {
        Peer_Account: bob,
        MaxCnt: 7,
        ...cursor,
        WithRecalledMsg: 1,
        GetDirection: 0,
      });
      assert.equal(reply.ErrorCode, 0);
      assert.ok(reply.MsgList.length <= 7, 'a page is not longer than wanted');
      seen.unshift(...reply.MsgList);
      if (reply.Complete === 1) break;
      assert.ok(page < COUNT, 'paging does not end');
      assert.equal(reply.MsgList.length, 7);
      cursor = { LastMsgTime: reply.LastMsgTime, MsgKey: reply.MsgKey };
    }
    assert.deepEqual(textsOf(seen), TEXTS);
    for (const [index, message] of seen.entries()) {
      assert.equal(message.MsgRandom, index + 1);
      assert.equal(message.MsgSeq, index + 1);
      assert.match(message.TinyId, /^[0-9]+$/);
      assert.equal(message.MsgFlagBits, 0);
    }
  });

  test('forward from a time, the first second is complete and no page ends where it began', async () => {
    const connection = await server.openRaw();
    await connection.login(alice);
    const all = await connection.ask('openim.getroammsg', {
      Peer_Account: bob,
      MaxCnt: 100,
      LastMsgTime: 1,
      MsgKey: '',
      GetDirection: 1,
    });
    let time = all.MsgList[0].MsgTimeStamp;
    /** @type {Set<string>} */
    const seen = new Set();
    for (let page = 0; ; page += 1) {
      assert.ok(page < COUNT, 'recovery would ask for ever');
      // What a client does after a reconnect: no key, only the time of the last message that it has.
      const reply = await connection.ask('openim.getroammsg', {
        Peer_Account: bob,
        MaxCnt: 16,
        LastMsgTime: time,
        GetDirection: 1,
      });
      for (const text of textsOf(reply.MsgList)) seen.add(text);
      if (reply.Complete === 1) break;
      const last = reply.MsgList.at(-1).MsgTimeStamp;
      assert.ok(last > time, 'the page ends in the second in which it began, and is not said to be the last');
      time = last;
    }
    assert.deepEqual([...seen], TEXTS);
  });

  test("nobody sees another pair's messages", async () => {
    const connection = await server.openRaw();
    await connection.login(userNamed('eve'));
    const reply = await connection.ask('openim.getroammsg', {
      Peer_Account: bob,
      MaxCnt: 15,
      LastMsgTime: 0,
      MsgKey: '',
      From_Account: alice,
    });
    assert.deepEqual(reply.MsgList ?? [], []);
  });
});

describe('openim/admin_getroammsg', () => {
  /** @param {object} request */
  const page = (request) =>
    server.restOk('openim/admin_getroammsg', { MaxCnt: 20, MinTime: 0, MaxTime: nowSeconds() + 60, ...request });

  for (const names of [
    ['Operator_Account', 'Peer_Account'],
    ['From_Account', 'To_Account'],
  ]) {
    test(`pages from the newest to the oldest, by ${names.join(' and ')}`, async () => {
      const who = { [names[0]]: bob, [names[1]]: alice };
      /** @type {any[]} */
      const seen = [];
      let cursor = {};
      for (let pages = 0; ; pages += 1) {
        const answer = await page({ ...who, ...cursor });
        assert.equal(answer.MsgCnt, answer.MsgList.length);
        seen.unshift(...answer.MsgList);
        if (answer.Complete === 1) break;
        assert.ok(pages < COUNT, 'paging does not end');
        assert.equal(answer.LastMsgKey, answer.MsgList[0].MsgKey);
        assert.equal(answer.LastMsgTime, answer.MsgList[0].MsgTimeStamp);
        cursor = { MaxTime: answer.LastMsgTime, LastMsgKey: answer.LastMsgKey };
      }
      assert.deepEqual(textsOf(seen), TEXTS);
    });
  }

  test("a message that its sender did not want in his history is in the receiver's only", async () => {
    const [from, to] = [userNamed('from'), userNamed('to')];
    await server.restOk('im_open_login_svc/multiaccount_import', { AccountList: [{ UserID: from }, { UserID: to }] });
    await server.restOk('openim/sendmsg', {
      SyncOtherMachine: 2,
      From_Account: from,
      To_Account: to,
      MsgRandom: 1,
      MsgBody: [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'one side' } }],
    });
    assert.deepEqual(textsOf((await page({ Operator_Account: to, Peer_Account: from })).MsgList), ['one side']);
    assert.deepEqual((await page({ Operator_Account: from, Peer_Account: to })).MsgList, []);
  });
});
